/**
 * Which layers an adapter adapts, by PEFT's rules for module names, and the configuration that says so again.
 * Source: peft/tuners/tuners_utils.py `check_target_module_exists`, `_maybe_include_all_linear_layers`;
 * peft/utils/other.py `get_pattern_key`.
 *
 * Module names have changed: up to transformers 4.51 they are those of the published files (`visual.blocks.0…`,
 * `model.layers.0…`), since then `model.visual.blocks.0…`, `model.language_model.layers.0…`. An adapter is read with
 * one of the two namings throughout. Unlike PEFT we adapt linear layers only, neither the embedding nor the
 * convolution that embeds patches.
 */
import { InputError } from '../../errors.ts';
import { quoted } from '../json.ts';
import type { Qwen25VlConfig } from '../qwen2-5-vl/config.ts';
import { parameters } from '../qwen2-5-vl/parameters.ts';
import { type AdapterConfig, adapterConfig } from './config.ts';
import { fullMatch, matchBetween } from './python-regex.ts';

/** One adapted linear layer: its output gains scale · B·A·x. */
export interface LoraLayer {
  /** The adapted matrix, a parameter's name: model.layers.0.self_attn.q_proj.weight … */
  weight: string;
  rank: number;
  /** alpha/rank, or alpha/√rank where the configuration says so. */
  scale: number;
}

export type Naming = 'transformers 5' | 'published';

interface Module {
  /** As the published files name it. */
  hub: string;
  linear: boolean;
}

/** The module name that transformers 5 has for a module of the published files. */
export function transformersName(hub: string): string {
  return hub.replace(/^(?:visual(?=\.|$)|model(?=\.|$))/, (tower) =>
    tower === 'visual' ? 'model.visual' : 'model.language_model',
  );
}

const NAMED: Record<Naming, (hub: string) => string> = {
  'transformers 5': transformersName,
  published: (hub) => hub,
};

/**
 * The adapted layers in the order of `parameters(config)`. Without `naming`, the one under which the targets hit
 * anything, transformers 5's before the other. Throws InputError, one line that begins with `file`: nothing is hit,
 * or something that cannot be adapted.
 */
export function adaptedLayers(
  adapter: AdapterConfig,
  config: Qwen25VlConfig,
  file = 'adapter_config.json',
  naming?: Naming,
): LoraLayer[] {
  for (const each of naming ? [naming] : (Object.keys(NAMED) as Naming[])) {
    const hits = targeted(adapter, config, each, file);
    if (hits.length === 0) continue;
    const wrong = hits.find(({ linear }) => !linear);
    if (wrong) throw new InputError(`${file}: target_modules includes ${unadaptable(wrong.hub, config)}`);
    return hits.map(({ hub }) => layerOf(adapter, hub, NAMED[each](hub), file));
  }
  throw new InputError(
    `${file}: target_modules ${quoted(JSON.stringify(adapter.targets))} names no module of this model; its linear layers end in q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, attn.qkv, attn.proj, mlp.0, mlp.2, lm_head`,
  );
}

/** Modules that the targets hit, linear layers in the order of the parameters. */
function targeted(adapter: AdapterConfig, config: Qwen25VlConfig, naming: Naming, file: string): Module[] {
  const name = NAMED[naming];
  const isTarget = targetTest(adapter, file);
  const isExcluded = nameTest(adapter.exclude ?? [], `${file}: exclude_modules`);
  return modulesOf(config).filter(
    (module) => isTarget(name(module.hub), module) && !isExcluded(name(module.hub)),
  );
}

function targetTest(adapter: AdapterConfig, file: string): (name: string, module: Module) => boolean {
  const { targets, layers } = adapter;
  const where = `${file}: target_modules`;
  if (typeof targets === 'string')
    return targets.toLowerCase() === 'all-linear'
      ? (name, { linear }) => linear && name !== 'lm_head'
      : nameTest(targets, where);
  const isNamed = nameTest(targets, where);
  const whole = new Set(targets);
  if (layers === null) return isNamed;
  const numbers =
    adapter.layersPattern.length === 0
      ? [/^.*?\.[^.]*\.(?<layer>\d+)\./]
      : adapter.layersPattern.map((pattern) =>
          matchBetween('(?:^|.*?\\.)', pattern, '\\.(?<layer>\\d+)\\.', `${file}: layers_pattern`),
        );
  return (name) => {
    if (whole.has(name) || !isNamed(name)) return whole.has(name);
    const found = numbers.map((number) => number.exec(name)).find((match) => match !== null);
    return found !== undefined && layers.includes(Number(found.groups!.layer));
  };
}

/** A list means whole names or what follows a dot in them, a string is a regular expression of whole names. */
function nameTest(names: string[] | string, where: string): (name: string) => boolean {
  if (typeof names === 'string') {
    const expression = fullMatch(names, where);
    return (name) => expression.test(name);
  }
  return (name) => names.some((each) => name === each || name.endsWith(`.${each}`));
}

function layerOf(adapter: AdapterConfig, hub: string, name: string, file: string): LoraLayer {
  const overridden = (patterns: [string, number][], key: string) =>
    patterns.find(([pattern]) =>
      matchBetween('(?:.*\\.)?(?:', pattern, ')$', `${file}: ${key}`).test(name),
    )?.[1];
  const rank = overridden(adapter.rankPattern, 'rank_pattern') ?? adapter.rank;
  const alpha = overridden(adapter.alphaPattern, 'alpha_pattern') ?? adapter.alpha;
  return {
    weight: `${hub}.weight`,
    rank,
    scale: adapter.rankStabilised ? alpha / Math.sqrt(rank) : alpha / rank,
  };
}

/** Linear layers, then what a name could hit by mistake: embeddings, norms, the modules that hold all these. */
function modulesOf(config: Qwen25VlConfig): Module[] {
  const linear: string[] = [];
  const others = new Set(['lm_head']);
  for (const { name, shape, role } of parameters(config)) {
    const module = name.replace(/\.(?:weight|bias)$/, '');
    if (name.endsWith('.weight') && shape.length === 2 && role !== 'embedding') linear.push(module);
    for (let at = module; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) others.add(at);
  }
  for (const hub of linear) others.delete(hub);
  return [
    ...linear.map((hub) => ({ hub, linear: true })),
    ...[...others].map((hub) => ({ hub, linear: false })),
  ];
}

function unadaptable(hub: string, { text }: Qwen25VlConfig): string {
  if (hub === 'visual.patch_embed.proj')
    return `${quoted(hub)}, a convolution, which cannot be adapted; exclude it (exclude_modules), or say "attn.proj"`;
  if (hub === 'model.embed_tokens')
    return `${quoted(hub)}, the embedding, which cannot be adapted; leave it out`;
  if (hub === 'lm_head' && text.tied)
    return `${quoted(hub)}, which is the embedding here (tie_word_embeddings) and cannot be adapted; leave it out`;
  return `${quoted(hub)}, which is not a linear layer; name the linear layers in it`;
}

/**
 * An adapter_config.json (as a plain object, for JSON.stringify) with which PEFT finds exactly these layers, ranks and
 * scales in the model as transformers 5 loads it. `base`: where the base model came from, if that is known.
 */
export function adapterConfigJson(
  layers: readonly LoraLayer[],
  config: Qwen25VlConfig,
  base: string | null = null,
  dropout = 0,
): Record<string, unknown> {
  const rank = mostCommon(layers.map((layer) => layer.rank));
  const alpha = mostCommon(layers.map(alphaOf));
  const different = (of: (layer: LoraLayer) => number, usual: number) =>
    Object.fromEntries(
      layers
        .filter((layer) => of(layer) !== usual)
        // Without the first part of the name: older versions of PEFT want something to stand before a key.
        .map((layer) => [
          moduleOf(layer)
            .replace(/^model\./, '')
            .replaceAll('.', '\\.'),
          of(layer),
        ]),
    );
  return {
    alpha_pattern: different(alphaOf, alpha),
    auto_mapping: null,
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: alpha,
    lora_dropout: dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: different((layer) => layer.rank, rank),
    revision: null,
    target_modules: targetList(layers, config),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
}

/** Last parts of the names (q_proj …) where these hit nothing else, whole names otherwise. */
function targetList(layers: readonly LoraLayer[], config: Qwen25VlConfig): string[] {
  const whole = layers.map(moduleOf);
  const ends = [...new Set(whole.map((name) => name.slice(name.lastIndexOf('.') + 1)))].sort();
  const hits = targeted(adapterConfig({ rank: 1, alpha: 1, targets: ends }), config, 'transformers 5', '');
  return hits.length === whole.length ? ends : whole;
}

function moduleOf({ weight }: LoraLayer): string {
  return transformersName(weight.replace(/\.weight$/, ''));
}

/** scale · rank without the last bit's error where that is a whole number, as it mostly is. */
function alphaOf({ rank, scale }: LoraLayer): number {
  const alpha = scale * rank;
  const whole = Math.round(alpha);
  return Math.abs(alpha - whole) < 1e-9 * Math.abs(alpha) ? whole : alpha;
}

function mostCommon(values: number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0];
}
