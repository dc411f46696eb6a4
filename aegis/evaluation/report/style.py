"""The style of the page of a comparison: light, dark and print, with nothing loaded.

The colours of profiles are those of Okabe and Ito, which people with any colour vision tell apart;
each has a shape of its own too. On light paper the lighter ones are set darker, so that every
mark stands out from the paper by 3 to 1.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fff; --raised: #f6f7f8; --ink: #1b1f24; --soft: #59626d; --rule: #d5dae0;
  --grid: #e8ebee; --quiet: #7b858f; --accent: #0072b2;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b6588f; --c4: #b87a00; --c5: #2f8fc9;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --raised: #1c2025; --ink: #e7eaee; --soft: #a0a9b4; --rule: #363d46;
    --grid: #272c33; --quiet: #8b949e; --accent: #56b4e9;
    --c0: #56b4e9; --c1: #f07f2d; --c2: #1fbf92; --c3: #cc79a7; --c4: #e69f00; --c5: #f0e442;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 1180px; padding: 3rem 1.5rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
header, section { margin: 0 auto 3.25rem; max-width: 820px; }
section.broad { max-width: none; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -.012em; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .3rem; }
p { margin: 0 0 .8rem; max-width: 44rem; }
.kicker { color: var(--soft); font-size: .85rem; margin: 0 0 .35rem; }
.facts, .about, figcaption { color: var(--soft); font-size: .9rem; }
.lead { font-size: 1.06rem; margin-top: 1.3rem; }
figure { margin: .9rem 0 0; }
figcaption { margin-top: .7rem; max-width: 44rem; }
ul { margin: 0; padding-left: 1.2rem; }
li { margin: .25rem 0; }
bdi { unicode-bidi: isolate; }
code, pre { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre {
  background: var(--raised); border-radius: 6px; margin: 0 0 1.2rem; padding: .75rem .95rem;
  white-space: pre-wrap;
}
dl { display: grid; gap: .35rem 1.25rem; grid-template-columns: max-content 1fr; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; }

.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
table {
  border-collapse: collapse; font-size: .85rem; line-height: 1.35; margin-top: .8rem;
  overflow-wrap: normal; width: 100%;
}
th, td { padding: .5rem .5rem; text-align: right; vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead tr > * {
  border-bottom: 1px solid var(--ink); color: var(--soft); font-size: .92em; font-weight: 500;
  vertical-align: bottom;
}
tbody th { font-weight: 600; min-width: 12rem; overflow-wrap: anywhere; }
tbody tr + tr > * { border-top: 1px solid var(--grid); }
tr.group > th {
  border-top: 1px solid var(--rule); color: var(--soft); font-size: .92em; font-weight: 500;
  padding: .8rem 0 .2rem;
}
.left { text-align: left; }
td small, th small { color: var(--soft); display: block; font-size: .92em; font-weight: 400; }
td { white-space: nowrap; }
td.prose { min-width: 12rem; overflow-wrap: anywhere; text-align: left; white-space: normal; }
td.even { color: var(--soft); }

svg.chart { display: block; height: auto; overflow: visible; width: 100%; }
.narrow { display: none; }
svg text { fill: var(--ink); font-size: 11.5px; }
svg .name, svg .figure { font-size: 13px; }
svg .row.profile .name, svg .row.profile .figure { font-weight: 600; }
svg .row:not(.profile) .name, svg .row:not(.profile) .figure { fill: var(--soft); }
svg .detail, svg .ends, svg .note, svg .tick text, svg .head { fill: var(--soft); }
svg .heading { fill: var(--soft); }
svg .title { fill: var(--soft); }
svg .key { font-weight: 600; }
svg .reference-name { fill: var(--soft); }
svg line, svg polyline { fill: none; stroke-width: 1; }
svg .rule { stroke: var(--rule); }
svg .grid { stroke: var(--grid); }
svg .zero { stroke: var(--quiet); }
svg .guide { stroke: var(--rule); stroke-dasharray: 1 4; stroke-linecap: round; }
svg .leader { stroke: var(--quiet); stroke-width: .75; }
svg .reference { stroke: var(--quiet); stroke-dasharray: 5 3; }
svg .whisker, svg .cap { stroke: var(--c); stroke-width: 1.75; }
svg .quiet.whisker, svg .quiet.cap { stroke-width: 1.25; }
svg .course { stroke: var(--c); stroke-linejoin: round; stroke-width: 1.75; }
svg .course.greedy { stroke-dasharray: 6 4; }
svg .mark { fill: var(--c); stroke: var(--paper); stroke-width: 1; paint-order: stroke; }
svg .mark.hollow, svg .mark.open { fill: var(--paper); stroke: var(--c); stroke-width: 2; }
svg .mark.open { stroke-width: 1.5; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
.c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
.quiet { --c: var(--quiet); } .open { --c: var(--ink); }

@media screen and (max-width: 719px) {
  body { padding: 1.75rem 1rem 3rem; }
  header, section { margin-bottom: 2.5rem; }
  h1 { font-size: 1.5rem; }
  .wide { display: none; }
  .narrow { display: block; }
  dl { gap: 0; grid-template-columns: 1fr; }
  dd { margin-bottom: .6rem; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 10.5pt; max-width: none; padding: 0; }
  header, section { margin-bottom: 1.6rem; }
  h2, thead { break-after: avoid; }
  figure, tr, pre { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: .25rem .3rem; }
  tbody th { min-width: 0; }
  td.prose { min-width: 0; }
}
"""
