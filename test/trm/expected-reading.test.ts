/** The expected score by the log-probabilities that a server gives: Σ p·s / Σ p over the scores that are found. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endpointJudge } from '../../src/trm/endpoint-judge.ts';
import { expectedReading } from '../../src/trm/expected-reading.ts';
import { EndpointSettings } from '../../src/trm/settings.ts';
import { type JudgeServer, startJudgeServer } from './judge-server.ts';

type Alternatives = Record<string, number>;

/** A token with what stands in its place, its own probability among them. */
function token(text: string, alternatives: Alternatives) {
  const listed = Object.entries(alternatives).map(([token, p]) => ({ token, logprob: Math.log(p) }));
  return { token: text, logprob: Math.log(alternatives[text]), top_logprobs: listed };
}

describe('where a score is one token', () => {
  it('all alternatives that are scores count', () => {
    const tokens = [token('0.8', { '0.8': 0.6, '0.6': 0.3, '1': 0.1 })];
    expect(expectedReading('0.8', 0.8, tokens)).toBeCloseTo(0.6 * 0.8 + 0.3 * 0.6 + 0.1 * 1, 12);
  });

  it('0 among them', () => {
    const tokens = [token('0.8', { '0.8': 0.5, '0': 0.5 })];
    expect(expectedReading('0.8', 0.8, tokens)).toBeCloseTo(0.4, 12);
  });

  it('others do not, and the rest is brought to 1', () => {
    const tokens = [token('0.8', { '0.8': 0.5, '0.4': 0.25, I: 0.1, '1.5': 0.1, '.5': 0.05 })];
    expect(expectedReading('0.8', 0.8, tokens)).toBeCloseTo((0.5 * 0.8 + 0.25 * 0.4) / 0.75, 12);
  });
});

describe('where a score is spelt digit by digit', () => {
  it('alternatives count where they complete a score, by the probability of getting there', () => {
    const tokens = [
      token('0', { '0': 0.9, '1': 0.1 }),
      token('.', { '.': 1 }),
      token('8', { '8': 0.5, '7': 0.3, '9': 0.2 }),
      token('<|im_end|>', { '<|im_end|>': 1 }),
    ];
    const digits = 0.5 * 0.8 + 0.3 * 0.7 + 0.2 * 0.9;
    expect(expectedReading('0.8', 0.8, tokens)).toBeCloseTo(0.9 * digits + 0.1 * 1, 12);
  });

  it('0 is no score, since it may be the beginning of any', () => {
    const tokens = [token('1', { '1': 0.6, '0': 0.4 }), token('.', { '.': 1 }), token('0', { '0': 1 })];
    expect(expectedReading('1.0', 1, tokens)).toBeCloseTo(1, 12);
    expect(expectedReading('1', 1, tokens.slice(0, 1))).toBeCloseTo(1, 12);
  });
});

it.each([
  ['white space before it', ' 0.8', [token(' 0.8', { ' 0.8': 0.5, '0.4': 0.5 })]],
  [
    'an answer body',
    '<answer>0.8</answer>',
    [
      token('<answer', { '<answer': 1 }),
      token('>0', { '>0': 1 }),
      token('.', { '.': 1 }),
      token('8</', { '8</': 0.5, '4</': 0.5 }),
      token('answer>', { 'answer>': 1 }),
    ],
  ],
  [
    'thinking, with numbers in it',
    '<think>0.8 or 0.9</think>\n0.8',
    [
      token('<think>0.8 or 0.9', { '<think>0.8 or 0.9': 0.1 }),
      token('</think>\n', { '</think>\n': 1 }),
      token('0.8', { '0.8': 0.5, '0.4': 0.5 }),
    ],
  ],
  [
    'thinking that the server splits off the text, but not off the tokens',
    '0.8',
    [
      token('so 0.8', { 'so 0.8': 0.1 }),
      token('</think>', { '</think>': 1 }),
      token('0.8', { '0.8': 0.5, '0.4': 0.5 }),
    ],
  ],
])('is found with %s', (_what, text, tokens) => {
  expect(expectedReading(text, 0.8, tokens)).toBeCloseTo(0.6, 12);
});

it('is null where less than half of the probability is found, or the tokens are of another text', () => {
  expect(expectedReading('0.8', 0.8, [token('0.8', { '0.8': 0.45, I: 0.55 })])).toBeNull();
  expect(expectedReading('0.8', 0.8, [token('0.7', { '0.7': 1 })])).toBeNull();
  expect(expectedReading('0.8', 0.8, [])).toBeNull();
});

it('lies within the scores that are found', () => {
  const scores = fc.uniqueArray(fc.integer({ min: 0, max: 10 }), { minLength: 1, maxLength: 11 });
  fc.assert(
    fc.property(
      scores,
      fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: 11 }),
      (tenths, weights) => {
        const total = tenths.reduce((sum, _, i) => sum + weights[i], 0);
        const given = Object.fromEntries(tenths.map((t, i) => [(t / 10).toFixed(1), weights[i] / total]));
        const written = (tenths[0] / 10).toFixed(1);
        const expected = expectedReading(written, Number(written), [token(written, given)])!;
        const mean = tenths.reduce((sum, t, i) => sum + (t / 10) * (weights[i] / total), 0);
        expect(expected).toBeCloseTo(mean, 9);
        expect(expected).toBeGreaterThanOrEqual(Math.min(...tenths) / 10 - 1e-12);
        expect(expected).toBeLessThanOrEqual(Math.max(...tenths) / 10 + 1e-12);
      },
    ),
  );
});

describe('a judge behind a server that reads expected scores', () => {
  let server: JudgeServer;
  beforeAll(async () => {
    server = await startJudgeServer();
  });
  afterAll(() => server.stop());
  beforeEach(() => server.forget());

  const respond = (response: string) => ({
    record: { problem: 'q', options: [], picture: null, source: 'rows:1' },
    response,
  });
  const judged = async (...does: string[]) => {
    const lines: string[] = [];
    const settings = EndpointSettings.parse({ url: server.url, model: 'vision', reads: 'expected' });
    const judge = await endpointJudge(settings, { warn: (line) => lines.push(line) });
    return { scores: await judge.score(does.map((does, i) => respond(`${i} [[${does}]]`))), lines };
  };

  it('asks for the 20 likeliest tokens, and takes the expected value', async () => {
    const tokens = [token('0.8', { '0.8': 0.6, '0.6': 0.4 })];
    await server.plan({ logprobs: { content: '0.8', tokens } });
    expect(await judged('logprobs')).toEqual({
      scores: [{ score: expect.closeTo(0.72, 9), failure: null }],
      lines: [],
    });
    expect((await server.log())[0].body).toMatchObject({ logprobs: true, top_logprobs: 20 });
  });

  it('takes scores as they are written where the server gives no log-probabilities, and says so once', async () => {
    expect(await judged('0.7', '0.2', 'words')).toEqual({
      scores: [
        { score: 0.7, failure: null },
        { score: 0.2, failure: null },
        { score: null, failure: expect.stringMatching(/^not a score/) },
      ],
      lines: [
        'judge: vision was asked for log-probabilities and gave none; such scores are taken as they are written',
      ],
    });
  });

  it.each([
    ['of another shape', [{ token: '0.8' }]],
    ['of something else', [token('I', { I: 1 })]],
    ['hardly of scores', [token('0.8', { '0.8': 0.1, I: 0.9 })]],
  ])('so also where they are %s', async (_what, tokens) => {
    await server.plan({ logprobs: { content: '0.8', tokens } });
    const { scores, lines } = await judged('logprobs', 'logprobs');
    expect(scores).toEqual([1, 2].map(() => ({ score: 0.8, failure: null })));
    expect(lines).toHaveLength(1);
  });
});
