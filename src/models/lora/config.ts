/**
 * `adapter_config.json` of a LoRA adapter (Hu et al. 2021, arXiv 2106.09685) in the format of Hugging Face PEFT
 * (`LoraConfig`, 0.21). Source: peft/tuners/lora/config.py.
 *
 * What changes what an adapter computes and is not computed here (DoRA, trained biases, saved modules, base weights
 * altered at initialisation …) is refused by name rather than ignored.
 */
import { z } from 'zod';
import { InputError } from '../../errors.ts';
import { checked, parseJson, quoted } from '../json.ts';

export interface AdapterConfig {
  /** r; `rankPattern` overrides it for single modules. */
  rank: number;
  /** lora_alpha; `alphaPattern` overrides it for single modules. */
  alpha: number;
  /** Scale alpha/√rank (rsLoRA, arXiv 2312.03732) rather than alpha/rank. */
  rankStabilised: boolean;
  /** Of the adapters' inputs in training; plays no part in evaluation or merging. */
  dropout: number;
  /** A list of module names or their dotted endings, or a regular expression of whole names, or 'all-linear'. */
  targets: string[] | string;
  /** Of the same form; null where nothing is excluded. */
  exclude: string[] | string | null;
  /** Layer numbers that a list of targets is restricted to; null: all. */
  layers: number[] | null;
  /** Regular expressions for the name that stands before a layer's number. */
  layersPattern: string[];
  /** [regular expression for the end of a module name, value], the first that matches counts. */
  rankPattern: [string, number][];
  alphaPattern: [string, number][];
}

/** Targets: the linear layers of the language model, by transformers' names for modules. */
export const LANGUAGE_MODEL = '.*\\.language_model\\..*_proj';

/** A new adapter's configuration: whatever is not given is PEFT's default. */
export function adapterConfig(
  given: Pick<AdapterConfig, 'rank' | 'alpha' | 'targets'> & Partial<AdapterConfig>,
): AdapterConfig {
  return {
    rankStabilised: false,
    dropout: 0,
    exclude: null,
    layers: null,
    layersPattern: [],
    rankPattern: [],
    alphaPattern: [],
    ...given,
  };
}

const rank = z.int({ error: 'must be a whole number from 1 on' }).min(1).max(1_000_000);
const names = z.array(z.string());
const schema = z.looseObject({
  peft_type: z.string({
    error: "is missing; not the adapter_config.json of a PEFT adapter, which says 'LORA'",
  }),
  r: rank.default(8),
  lora_alpha: z.number().default(8),
  use_rslora: z.boolean().nullish(),
  lora_dropout: z.number().min(0).max(1).nullish(),
  target_modules: z.union([z.string(), names]).nullish(),
  exclude_modules: z.union([z.string(), names]).nullish(),
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: z.union([z.string(), names]).nullish(),
  rank_pattern: z.record(z.string(), rank).nullish(),
  alpha_pattern: z.record(z.string(), z.number()).nullish(),
  bias: z.string().nullish(),
  fan_in_fan_out: z.boolean().nullish(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
});

/** Keys that change nothing in what an adapter computes once it has been trained. */
const INDIFFERENT = new Set([
  ...Object.keys(schema.shape),
  'auto_mapping',
  'base_model_name_or_path',
  'revision',
  'task_type',
  'peft_version',
  'inference_mode',
  'runtime_config',
  'megatron_core',
  'qalora_group_size',
  'loftq_config',
  'eva_config',
  'corda_config',
  'lora_ga_config',
]);

/** Ways of drawing the first A and B that leave the base weights as they are. */
const INITIAL = [true, false, 'gaussian', 'eva', 'orthogonal'];

/** Parses the text of an adapter_config.json. Throws InputError: one line naming `file` and the key. */
export function parseAdapterConfig(text: string, file: string): AdapterConfig {
  const json = checked(schema, parseJson(text, file), file);
  const refuse = (what: string) => new InputError(`${file}: ${what}`);
  if (json.peft_type !== 'LORA')
    throw refuse(
      `is of a ${quoted(json.peft_type)} adapter; only "LORA" is supported, merge it with peft first`,
    );
  refuseUnsupported(json, file);
  const targets = json.target_modules;
  if (targets === undefined || targets === null || targets.length === 0)
    throw refuse('target_modules is missing; list the adapted modules, or give a regular expression');
  const layers = json.layers_to_transform ?? [];
  const restricted = typeof layers === 'number' ? [layers] : layers;
  if (typeof targets === 'string' && json.layers_to_transform != null)
    throw refuse('layers_to_transform needs target_modules to be a list; put the layers into the expression');
  const pattern = json.layers_pattern ?? [];
  return {
    rank: json.r,
    alpha: json.lora_alpha,
    rankStabilised: json.use_rslora ?? false,
    dropout: json.lora_dropout ?? 0,
    targets,
    exclude: json.exclude_modules?.length ? json.exclude_modules : null,
    layers: restricted.length > 0 ? restricted : null,
    layersPattern: typeof pattern === 'string' ? [pattern].filter(Boolean) : pattern,
    rankPattern: Object.entries(json.rank_pattern ?? {}),
    alphaPattern: Object.entries(json.alpha_pattern ?? {}),
  };
}

function refuseUnsupported(json: z.infer<typeof schema>, file: string): void {
  const { bias, fan_in_fan_out: transposed, init_lora_weights: initial } = json;
  if (bias != null && bias !== 'none')
    throw new InputError(
      `${file}: bias is ${quoted(bias)}; only "none" is supported, merge it with peft first`,
    );
  if (transposed)
    throw new InputError(`${file}: fan_in_fan_out is set, but the layers of this model are not transposed`);
  if (initial != null && !INITIAL.includes(initial))
    throw new InputError(
      `${file}: init_lora_weights is ${quoted(String(initial))}, which alters the base weights; save the adapter again with path_initial_model_for_weight_conversion, or merge it with peft`,
    );
  for (const [key, value] of Object.entries(json))
    if (!INDIFFERENT.has(key) && switchedOn(value))
      throw new InputError(
        `${file}: ${key} is set, which is not supported; merge the adapter with peft first`,
      );
}

/** PEFT turns a feature on by `true`, a list or an object; numbers and words only tune one. */
function switchedOn(value: unknown): boolean {
  return value === true || (typeof value === 'object' && value !== null && Object.keys(value).length > 0);
}
