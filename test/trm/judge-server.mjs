/**
 * A judge behind an OpenAI-compatible server that misbehaves on demand. Plain Node, a process of its own.
 *
 *     node judge-server.mjs ['{"failures": 0.3}'] [PORT]
 *
 * prints {"port": N} when it listens. How it answers a prompt, the first of these that says anything:
 *
 * 1. what the prompt's text itself asks for, one entry an attempt, the last of them from then on: `[[500 429 0.7]]`
 * 2. `rules` of the plan: [{has: TEXT, does: ["drop", "0.7"]}], by the first whose TEXT stands in the prompt
 * 3. chance: of all prompts, the share `failures` (0) gets one of `kinds` (all failures), drawn by a hash of `seed` and the
 *    prompt, on its first `times` attempts (always); the rest, and later attempts, a score in tenths by another hash
 *
 * PUT /plan replaces the plan, GET /log gives what was asked and DELETE /log forgets it.
 *
 * An entry is a number, which is answered as it is spelt, or one of `answers` below.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const failures = ['drop', '429', '500', 'truncated', 'html', 'shape', 'outside', 'words', 'hang'];

let plan = JSON.parse(process.argv[2] ?? '{}');
let log = [];
let running = 0;
const attempts = new Map();

/** A number in [0, 1) that depends on nothing but its arguments. */
function hashed(...parts) {
  return createHash('sha256').update(JSON.stringify(parts)).digest().readUInt32BE(0) / 2 ** 32;
}

/** What to do at this attempt (from 0 on) at a prompt. */
function chosen(text, attempt) {
  const asked = /\[\[([^\]]+)\]\]/.exec(text)?.[1].trim().split(/\s+/);
  const does = asked ?? plan.rules?.find(({ has }) => text.includes(has))?.does;
  if (does) return does[Math.min(attempt, does.length - 1)];
  const { seed = 0, failures: share = 0, kinds = failures, times = Number.POSITIVE_INFINITY } = plan;
  if (attempt < times && hashed(seed, 'fails', text) < share)
    return kinds[Math.floor(hashed(seed, 'kind', text) * kinds.length)];
  return (Math.floor(hashed(seed, 'score', text) * 11) / 10).toFixed(1);
}

function completion(content, { finish = 'stop', logprobs = null, ...message } = {}) {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 0,
    model: 'judge',
    choices: [
      { index: 0, message: { role: 'assistant', content, ...message }, finish_reason: finish, logprobs },
    ],
  });
}

const json = (response, body, status = 200, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
const says = (text, more) => (_request, response) => json(response, completion(text, more));
const error = (status, message, headers) => (_request, response) =>
  json(response, JSON.stringify({ error: { message } }), status, headers);

const answers = {
  drop: (_request, response) => response.destroy(),
  'drop-midway': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
    response.write(completion('0.5').slice(0, 40));
    setTimeout(() => response.destroy(), 20);
  },
  hang: () => {},
  'hang-midway': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(completion('0.5').slice(0, 40));
  },
  truncated: (_request, response) => json(response, completion('0.5').slice(0, -30)),
  html: (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>'),
  nothing: (_request, response) => json(response, ''),
  shape: (_request, response) => json(response, JSON.stringify({ score: 0.5 })),
  'no-content': (_request, response) => json(response, completion(null)),
  outside: says('1.5'),
  words: says('I would give it 0.6.'),
  empty: says(''),
  429: (request, response) => error(429, 'too many requests', retryAfter(request))(request, response),
  500: error(500, 'out of order'),
  503: (_request, response) =>
    response.writeHead(503, { 'content-type': 'text/html' }).end('<html>Bad gateway</html>'),
  400: error(400, 'no such parameter'),
  401: (request, response) => error(401, `wrong key: ${request.headers.authorization}`)(request, response),
  404: (_request, response) => json(response, JSON.stringify({ detail: 'no such model' }), 404),
  echo: (request, response) => says(`key ${request.headers.authorization}`)(request, response),
  'echo-thinking': (request, response) =>
    says(`<think>${request.headers.authorization}</think>0.5`)(request, response),
  redirect: (_request, response) => response.writeHead(307, { location: plan.location }).end(),
  length: says('0.5', { finish: 'length' }),
  'length-thinking': says(null, { finish: 'length', reasoning_content: 'Let me see' }),
  thinking: says('<think>fine, 0.9 maybe</think>\n\n0.8'),
  'thinking-untagged': says('fine, 0.9 maybe</think>\n\n0.8'),
  reasoning: says('0.8', { reasoning_content: 'fine, 0.9 maybe' }),
  answer: says('<answer>0.8</answer>'),
  text: (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end(completion('0.4')),
  slow: (request, response) => setTimeout(() => says('0.5')(request, response), plan.delayMs ?? 300),
  logprobs: (_request, response, body) => {
    const { content, tokens } = plan.logprobs;
    says(content, { logprobs: body.logprobs ? { content: tokens } : null })(_request, response);
  },
};

function retryAfter() {
  const { retryAfter } = plan;
  if (retryAfter === undefined) return {};
  // {"date": s}: as an HTTP date so many seconds from now
  return {
    'retry-after':
      typeof retryAfter === 'object'
        ? new Date(Date.now() + 1000 * retryAfter.date).toUTCString()
        : String(retryAfter),
  };
}

const textOf = ({ messages }) =>
  messages
    .flatMap(({ content }) =>
      typeof content === 'string' ? [content] : content.flatMap((part) => part.text ?? []),
    )
    .join('\n');

async function chat(request, response, received) {
  const body = JSON.parse(received);
  const text = textOf(body);
  const attempt = attempts.get(text) ?? 0;
  attempts.set(text, attempt + 1);
  const action = chosen(text, attempt);
  running += 1;
  const entry = {
    at: Date.now(),
    attempt,
    action,
    running,
    headers: request.headers,
    body,
    text,
    gone: false,
  };
  log.push(entry);
  response.on('close', () => {
    running -= 1;
    entry.doneAt = Date.now();
    entry.gone = !response.writableFinished;
  });
  // a little time, so that calls can overlap, and replies overtake one another
  await new Promise((resolve) => setTimeout(resolve, 2 + 20 * hashed('time', text)));
  const answer = answers[action] ?? says(action);
  answer(request, response, body);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const received = Buffer.concat(chunks).toString('utf8');
  const [path] = request.url.split('?');
  const route = `${request.method} ${path}`;
  if (route === 'POST /v1/chat/completions') return chat(request, response, received);
  if (route === 'PUT /plan') {
    plan = JSON.parse(received);
    attempts.clear();
    return json(response, '{}');
  }
  if (route === 'GET /log') return json(response, JSON.stringify(log));
  if (route === 'DELETE /log') {
    log = [];
    attempts.clear();
    return json(response, '{}');
  }
  log.push({ route, headers: request.headers });
  return json(response, JSON.stringify({ error: 'no such route' }), 404);
});

server.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
// does not outlive who started it
process.stdin.on('end', () => process.exit(0)).resume();
