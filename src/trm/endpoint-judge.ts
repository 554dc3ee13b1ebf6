/**
 * A model behind an OpenAI-compatible server as a judge: it is shown the question's picture and the rubric with question and
 * response, and writes a score. One call, one response, one number: a score belongs to the response whose call it answered.
 */

import { pictureAndText } from '../data/chat/prompting.ts';
import { abortReason, limited } from '../data/limited.ts';
import { pictureUrl } from '../data/pictures/data-url.ts';
import { chatEndpoint } from '../data/servers/chat-endpoint.ts';
import type { ChatReply } from '../data/servers/chat-reply.ts';
import { InputError } from '../errors.ts';
import { replyTokens } from './checkpoint-judge.ts';
import { expectedReading } from './expected-reading.ts';
import { failed, type Judge, type JudgedQuestion, type JudgedResponse, type JudgeScore } from './judge.ts';
import { onOneLine, parseScore } from './parse-score.ts';
import { checkJudgeTemplate, judgeText, thinkingRubric } from './prompt.ts';
import { type Asked, openReplyCache, type ReplyCache } from './reply-cache.ts';
import type { EndpointSettings } from './settings.ts';

/** How a judge is told of a question, and whom it warns. */
export interface Asking {
  /** How the question is written, with {problem} and {options}. */
  questionTemplate?: string;
  /** Takes a line for the person who runs this. */
  warn?: (line: string) => void;
}

const QUESTION_TEMPLATE = '{problem}\n{options}';

/** As many as servers commonly allow. */
const ALTERNATIVES = 20;

/** Throws InputError: a template, address or key that cannot be used; RunError: no place for the cache. */
export async function endpointJudge(
  settings: EndpointSettings,
  { questionTemplate = QUESTION_TEMPLATE, warn = () => {} }: Asking = {},
): Promise<Judge> {
  const template = settings.template ?? thinkingRubric();
  checkJudgeTemplate(template, 'judge.template');
  const templates = { template, question_template: questionTemplate };
  const { model, thinks, reads, concurrency, temperature } = settings;
  const maxTokens = settings.max_tokens ?? replyTokens(thinks);
  const topLogprobs = reads === 'expected' ? ALTERNATIVES : undefined;
  const endpoint = chatEndpoint({
    url: settings.url,
    model,
    concurrency,
    timeoutMs: 1000 * settings.timeout_s,
    keyVariable: settings.key_variable,
  });
  const cache = settings.cache === null ? null : await openReplyCache(settings.cache);
  const sampling = { temperature, max_tokens: maxTokens, top_logprobs: topLogprobs ?? null };
  // pictures in memory, and cached replies being read, are as many as calls
  const slots = limited(concurrency);

  let warned = false;
  const warnOnce = (line: string) => {
    if (!warned) warn(line);
    warned = true;
  };

  const read = ({ text, finish, logprobs }: ChatReply): JudgeScore => {
    if (finish === 'length')
      return failed(`the judge did not end within ${maxTokens} tokens: ${onOneLine(text)}`);
    const written = parseScore(text, { thinks });
    if (written.score === null || reads === 'text') return written;
    const expected = logprobs === null ? null : expectedReading(text, written.score, logprobs);
    if (expected === null)
      warnOnce(
        `judge: ${model} was asked for log-probabilities and ${logprobs === null ? 'gave none' : 'gave too few of scores'}; such scores are taken as they are written`,
      );
    return expected === null ? written : { score: expected, failure: null };
  };

  const scoreOne = async (
    { record, response }: JudgedResponse,
    signal: AbortSignal | undefined,
  ): Promise<JudgeScore> => {
    const text = judgeText(templates, record, response);
    const shown = await shownPicture(record);
    if ('failure' in shown) return failed(shown.failure);
    const { picture } = shown;
    const asked: Asked = { url: endpoint.url, model, sampling, text, picture, response };
    const kept = await keptScore(cache, asked, read);
    if (kept !== null) return kept;
    const request = { messages: pictureAndText(picture, text), temperature, maxTokens, topLogprobs };
    const result = await endpoint.chat(request, signal);
    if ('failure' in result) return failed(result.failure);
    const score = read(result.reply);
    if (score.score !== null) await cache?.put(asked, result.reply);
    return score;
  };

  return {
    name: 'endpoint',
    takes: 'singly',
    score: (responses, deadline) =>
      Promise.all(
        responses.map((one) =>
          slots(() => scoreOne(one, deadline), deadline).catch((error) => {
            if (deadline?.aborted) return failed(abortReason(deadline));
            throw error;
          }),
        ),
      ),
    async dispose() {},
  };
}

async function shownPicture({
  picture,
  roots,
}: JudgedQuestion): Promise<{ picture: string | null } | { failure: string }> {
  try {
    return { picture: picture === null ? null : await pictureUrl(picture, roots) };
  } catch (error) {
    if (error instanceof InputError) return { failure: error.message };
    throw error;
  }
}

/** The score by a reply that was kept; null where there is none, or none that is a score as this judge reads it. */
async function keptScore(
  cache: ReplyCache | null,
  asked: Asked,
  read: (reply: ChatReply) => JudgeScore,
): Promise<JudgeScore | null> {
  const reply = await cache?.get(asked);
  if (!reply) return null;
  const score = read(reply);
  return score.score === null ? null : score;
}
