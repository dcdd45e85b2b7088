// The page: from the outcomes of the calls to HTML. Everything that comes from outside is escaped.

export function page(calls) {
  const good = calls.filter((call) => call.ok).length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Pair</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
${PICTURE}
<h1>Pair</h1>
<p>Two Micros of one app, talking to each other. <strong>${good} of ${calls.length}</strong> calls came through.</p>
</header>
<ol>${calls.map(card).join('')}</ol>
<p class="again"><a href="/">Call again</a></p>
</main>
</body>
</html>`;
}

function card({ title, about, code, ok, text, durationMs }) {
  return `<li class="${ok ? 'ok' : 'failed'}">
<h2>${escape(title)} <span class="badge">${ok ? 'answered' : 'failed'}</span></h2>
<p>${escape(about)}</p>
<pre tabindex="0"><code>${escape(code)}</code></pre>
<blockquote>${escape(text)}<footer>${ok ? 'api' : 'no answer'}, after ${escape(durationMs)} ms</footer></blockquote>
</li>`;
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(value) {
  return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

const PICTURE = `<svg viewBox="0 0 240 72" aria-hidden="true">
<path class="wire" d="M64 28c30-22 82-22 112 0M176 44c-30 22-82 22-112 0"/>
<circle class="front" cx="40" cy="36" r="26"/><circle class="api" cx="200" cy="36" r="26"/>
</svg>`;

const STYLE = `
:root { color-scheme: light dark; --page: #f2f4fb; --card: #fff; --ink: #1c2140; --soft: #596080; --line: #dde1f0; --front: #4657d6; --api: #0f8a72; --bad: #b3261e; --code: #eef0fa; }
@media (prefers-color-scheme: dark) { :root { --page: #11131f; --card: #1a1e30; --ink: #eceefb; --soft: #a4abc9; --line: #2d3350; --front: #95a2ff; --api: #5fd6bb; --bad: #ff9a8f; --code: #12152a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
main { width: min(44rem, 100% - 2rem); margin: 0 auto; padding: clamp(2rem, 7vw, 4.5rem) 0; }
header { text-align: center; }
header svg { width: 15rem; max-width: 70%; }
.front { fill: var(--front); } .api { fill: var(--api); }
.wire { fill: none; stroke: var(--soft); stroke-width: 3; stroke-linecap: round; stroke-dasharray: 1 9; }
@media (prefers-reduced-motion: no-preference) { .wire { animation: run 1.2s linear infinite; } @keyframes run { to { stroke-dashoffset: -20; } } }
h1 { margin: .75rem 0 0; font-size: clamp(2.2rem, 7vw, 3.2rem); line-height: 1.1; letter-spacing: -.03em; }
header p { margin: .5rem 0 0; color: var(--soft); font-size: 1.08rem; }
header strong { color: var(--ink); }
ol { list-style: none; margin: 2.5rem 0 0; padding: 0; display: grid; gap: 1.1rem; }
li { padding: 1.4rem 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; min-width: 0; }
h2 { display: flex; justify-content: space-between; align-items: center; gap: 1rem; margin: 0; font-size: 1.15rem; }
.badge { padding: .1rem .7rem; border: 1.5px solid var(--api); border-radius: 1rem; color: var(--api); font-size: .78rem; }
.failed .badge { border-color: var(--bad); color: var(--bad); }
li p { margin: .35rem 0 0; color: var(--soft); }
pre { margin: .9rem 0 0; padding: .75rem .9rem; border-radius: .6rem; background: var(--code); overflow-x: auto; font: .84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
blockquote { margin: .9rem 0 0; padding-left: .9rem; border-left: 3px solid var(--api); font-size: 1.1rem; overflow-wrap: anywhere; }
.failed blockquote { border-color: var(--bad); }
blockquote footer { color: var(--soft); font-size: .82rem; }
.again { margin: 1.75rem 0 0; text-align: center; }
.again a { display: inline-block; padding: .7rem 1.5rem; border-radius: .8rem; background: var(--front); color: var(--page); font-weight: 600; text-decoration: none; }
:focus-visible { outline: 3px solid var(--front); outline-offset: 3px; }
`;
