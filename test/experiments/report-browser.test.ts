/** The report in a real browser: quiet, without network, with its controls at work. Skipped only where there is none. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildReport } from '../../src/experiments/report/build.ts';
import { reportInput, resultRows, scores } from './report-data.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

describe.skipIf(!existsSync(CHROMIUM))('the report in a browser', () => {
  let dir: string;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const requests: string[] = [];

  beforeAll(async () => {
    const input = await reportInput([0, 1]);
    // A response that tries to break out of the page.
    input.examples[0].group.responses[7].text =
      '</pre></script><script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">';
    dir = await mkdtemp(join(tmpdir(), 'sophiavl-browser-'));
    await writeFile(join(dir, 'report.html'), buildReport(input));
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

  const shown = () => page.locator('.example:visible');
  const label = () => shown().getAttribute('aria-label');

  it('opens without a complaint and asks for nothing but itself', () => {
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([
      pathToFileURL(join(dir, 'report.html')).href,
    ]);
  });

  it('gives a share of 0 no width in the bars, and every other share its own', async () => {
    const [cold, grpo, trust] = resultRows([0]);
    const seeds = grpo.seeds.map(({ seed }) => ({
      seed,
      id: scores('id', 1, 0.2, 1),
      ood: scores('ood', 0.2, 0.9, 0),
    }));
    await writeFile(
      join(dir, 'zero.html'),
      buildReport(await reportInput([0], [cold, { variant: 'grpo', seeds }, trust])),
    );
    const other = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await other.goto(pathToFileURL(join(dir, 'zero.html')).href);
    const widths = async (panel: number) => {
      const bar = other.locator('.panels > div').nth(panel).locator('.bar').nth(1);
      const whole = (await bar.boundingBox())?.width ?? 0;
      const shares = ['sound', 'flawed', 'wrong'].map(async (kind) => {
        const part = bar.locator(`.${kind}`);
        return (await part.count()) === 0 ? 0 : ((await part.boundingBox())?.width ?? 0) / whole;
      });
      return Promise.all(shares);
    };
    expect(await widths(0)).toEqual([0, expect.closeTo(1, 2), 0]);
    expect(await widths(1)).toEqual([expect.closeTo(0.2, 2), 0, expect.closeTo(0.8, 2)]);
    await other.close();
  });

  it('runs no script that a response brought', async () => {
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(await page.locator('img[onerror]').count()).toBe(0);
  });

  it('shows one group at a time and changes it by click', async () => {
    expect(await shown().count()).toBe(1);
    expect(await label()).toBe('early, GRPO');
    await page.locator('.picker label', { hasText: 'late' }).click();
    expect(await label()).toBe('late, GRPO');
    await page.locator('.picker label', { hasText: 'Trust-GRPO' }).click();
    expect(await label()).toBe('late, Trust-GRPO');
    expect(await shown().locator('.card').count()).toBe(8);
  });

  it('changes the group by keyboard', async () => {
    await page.locator('.picker input[name=moment]').first().check();
    await page.locator('.picker input[name=moment]').first().focus();
    await page.keyboard.press('ArrowRight');
    expect(await label()).toBe('middle, Trust-GRPO');
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowLeft');
    expect(await label()).toBe('middle, GRPO');
  });

  it('shows on focus why a statement was judged so, until Escape', async () => {
    const statement = shown().locator('.v.bad').first();
    const why = statement.locator('xpath=following-sibling::*[@role="tooltip"]');
    expect(await why.isVisible()).toBe(false);
    await statement.focus();
    expect(await why.isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    expect(await why.isVisible()).toBe(false);
  });

  it('reads a chart out under the pointer and by arrow keys', async () => {
    const chart = page.locator('[data-chart=accuracy]');
    await chart.locator('svg[role=img]').hover({ position: { x: 200, y: 100 } });
    expect(await chart.locator('.readout').innerText()).toMatch(/^step \d+\s+GRPO\s+0\.\d\d/);
    await page.mouse.move(0, 0);
    await page.locator('[data-chart=accuracy] svg[role=img]').focus();
    await page.keyboard.press('Home');
    expect(await chart.locator('.readout').innerText()).toMatch(/^step 1\s/);
    await page.keyboard.press('ArrowRight');
    expect(await chart.locator('.readout').innerText()).toMatch(/^step 2\s/);
  });

  it('draws small pictures threefold with crisp pixels', async () => {
    const drawn = await page.evaluate(
      `[...document.querySelectorAll('.example:not([hidden]) img')].map((image) => [image.clientWidth, getComputedStyle(image).imageRendering])`,
    );
    expect(drawn).toEqual([[252, 'pixelated']]);
  });

  it('fits a phone without sideways scrolling', async () => {
    await page.setViewportSize({ width: 375, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(375);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  it('shows every group where scripts are off', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const still = await context.newPage();
    await still.goto(pathToFileURL(join(dir, 'report.html')).href);
    expect(await still.locator('.example:visible').count()).toBe(6);
    await context.close();
  });

  it('is still without a complaint after all this', () => {
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
  });
});
