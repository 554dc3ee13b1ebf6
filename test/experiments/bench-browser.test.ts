/** The bench's report in a real browser. Skipped only where there is none. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBenchReport } from '../../src/experiments/report/bench.ts';
import { type BenchResult, bench } from '../../src/trm/bench/bench.ts';
import type { RunGroup } from '../../src/trm/bench/run.ts';
import { rowsOf, ruleJudge, worldQuestions } from '../trm/bench/bench-data.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** A judge that goes by length, fails now and then, and says something nasty when it does. */
async function result(): Promise<BenchResult> {
  let asked = 0;
  const judge = ruleJudge(({ response }) => (asked++ % 11 === 0 ? null : Math.min(1, response.length / 200)));
  const groups = Array.from(
    { length: 60 },
    (_, i): RunGroup => ({
      step: 1 + (i >> 1),
      question: String(i),
      gamma: i % 3 === 0 ? 1 : 0.8,
      asked: 2,
      judged: [
        { thinking: 0.9, oracle: i % 4 === 0 ? 0.2 : 1 },
        { thinking: 0.3, oracle: 0.4 },
      ],
    }),
  );
  const made = await bench(judge, rowsOf(worldQuestions(12)), {
    seed: 0,
    probes: 12,
    resamples: 50,
    names: { judge: '<script>window.pwned = 1</script>', file: 'rows.jsonl', run: 'runs/mine' },
    run: { groups, reliability: null },
  });
  made.coverage.failures = { '<img src=x onerror="window.pwned = 1">': 3 };
  return made;
}

describe.skipIf(!existsSync(CHROMIUM))('the report of the bench in a browser', () => {
  let dir: string;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sophiavl-bench-browser-'));
    await writeFile(join(dir, 'report.html'), buildBenchReport(await result()));
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    });
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(dir, 'report.html')).href);
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('opens without a complaint, asks for nothing but itself, runs nothing that a judge brought', async () => {
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
  });

  it('has its five sections, each reached from the top', async () => {
    const links = await page.locator('nav a').allInnerTexts();
    expect(links).toEqual(['Agreement', 'Ranking', 'Corruptions', 'Attempts at gaming', 'In training']);
    for (const link of await page.locator('nav a').all())
      expect(await page.locator((await link.getAttribute('href'))!).isVisible()).toBe(true);
  });

  it('draws a dot with its interval and what the oracle says for every corruption and attack', async () => {
    for (const [section, rows] of [
      ['#corruptions', 6],
      ['#attacks', 30],
    ] as const) {
      const plots = page.locator(`${section} tbody .dots`);
      expect(await plots.count()).toBe(rows);
      for (const mark of ['circle', '.interval', '.ought', '.zero'])
        expect(await page.locator(`${section} tbody .dots ${mark}`).count()).toBe(rows);
    }
    const box = await page.locator('#corruptions tbody .dots').first().boundingBox();
    expect(box!.width).toBeGreaterThan(200);
  });

  it('draws the calibration with as many dots as there are bins with responses', async () => {
    const full = (await result()).agreement.calibration.filter(({ n }) => n > 0).length;
    expect(await page.locator('.calibration .bin').count()).toBe(full);
    expect(await page.locator('.calibration svg').getAttribute('aria-label')).toMatch(
      /judged 0\.\d\d, known/,
    );
  });

  it('reads the charts over steps out by arrow keys', async () => {
    const chart = page.locator('[data-chart=gamma]');
    await chart.locator('svg[role=img]').focus();
    await page.keyboard.press('Home');
    expect(await chart.locator('.readout').innerText()).toMatch(/^step \d+\s+mean γ/);
  });

  it('changes its colours with the reader’s, and keeps dots apart from the ground', async () => {
    const colours = async (colorScheme: 'light' | 'dark') => {
      await page.emulateMedia({ colorScheme });
      return page.evaluate(
        `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.dots circle')).fill]`,
      ) as Promise<[string, string]>;
    };
    const [light, dark] = [await colours('light'), await colours('dark')];
    expect(light[0]).not.toBe(dark[0]);
    expect(light[1]).not.toBe(dark[1]);
    for (const [ground, dot] of [light, dark]) expect(dot).not.toBe(ground);
  });

  it('fits a phone without sideways scrolling', async () => {
    await page.setViewportSize({ width: 375, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
  });
});
