/** A judge made from its settings. */
import { loadChat } from '../data/chat/chat.ts';
import { createLocalEngine } from '../engine/local/index.ts';
import { InputError } from '../errors.ts';
import { checkpointJudge } from './checkpoint-judge.ts';
import { type Asking, endpointJudge } from './endpoint-judge.ts';
import type { Judge } from './judge.ts';
import { type JudgeConfig, readJudgeConfig } from './judge-config.ts';
import { oracleJudge } from './oracle-judge.ts';
import { checkJudgeTemplate } from './prompt.ts';
import type { FolderSettings, JudgeSettings } from './settings.ts';
import { bySteps } from './steps/step-judge.ts';

/** What a judge on this machine computes with. */
export interface JudgeEngine {
  provider: 'cpu' | 'webgpu' | 'cuda';
  threads: number;
  tokenBudget: number;
}

/**
 * `asking` is for judges behind a server; a folder's judge.json says how its model is told of a question.
 * Throws InputError: a folder, template, vocabulary, address or key that cannot be used.
 */
export async function openJudge(
  settings: JudgeSettings,
  engine: JudgeEngine,
  asking: Asking = {},
): Promise<Judge> {
  if (settings === 'oracle') return oracleJudge;
  if ('url' in settings) return bySteps(await endpointJudge(settings, asking), settings.steps);
  return folderJudge(settings, engine);
}

/** A folder's own way of being asked, where settings do not say otherwise. Throws InputError for what does not fit it. */
export function judgeConfigWith(settings: FolderSettings, own: JudgeConfig): JudgeConfig {
  const template = settings.template ?? own.template;
  checkJudgeTemplate(
    template,
    settings.template === null ? `${settings.model}: judge.json: template` : 'judge.template',
  );
  const reads = settings.reads ?? own.reads;
  const ofReplies = settings.thinks ? 'thinks' : settings.max_tokens !== null ? 'max_tokens' : null;
  if (reads === 'expected' && ofReplies !== null)
    throw new InputError(
      `${settings.model}: ${ofReplies} (--judge-${ofReplies.replace('_', '-')}): is of a judge that writes its score, and of this one's the probabilities are read; leave it out, or let it write (reads: text, --judge-reads text)`,
    );
  return {
    ...own,
    template,
    reads,
    thinks: settings.thinks ?? own.thinks,
    steps: settings.steps ?? own.steps,
  };
}

async function folderJudge(settings: FolderSettings, computing: JudgeEngine): Promise<Judge> {
  const { model: dir } = settings;
  const chat = await loadChat(dir);
  const config = judgeConfigWith(settings, await readJudgeConfig(dir, chat));
  const engine = await createLocalEngine({ source: { dir }, adapter: null, trainable: false, ...computing });
  try {
    const judge = checkpointJudge({ engine, chat, config, maxTokens: settings.max_tokens });
    return bySteps(judge, config.steps);
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}
