// The style of a page, by day and by night: no file beside it, no script.
import type { Colour } from '../picture/colours.js';
import { type Shade, shadeOf } from './shades.js';

/** Shades on either side of zero. */
const steps = 20;

/** The class of the shade of a relevance: `p20` is the strongest red, `n1` the palest blue, `z` none. */
export function shadeClass(strength: number): string {
  const step = Math.round(Math.min(1, Math.abs(strength)) * steps);
  if (step === 0) return 'z';
  return `${strength > 0 ? 'p' : 'n'}${step}`;
}

const rgb = ([red, green, blue]: Colour) =>
  `#${[red, green, blue].map((c) => c.toString(16).padStart(2, '0')).join('')}`;

const strengths = Array.from({ length: 2 * steps + 1 }, (_, index) => (index - steps) / steps);

function shadeRules(surroundings: 'light' | 'dark'): string {
  const rule = (strength: number, { paper, ink }: Shade) =>
    `.${shadeClass(strength)}{background:${rgb(paper)};color:${rgb(ink)}}`;
  const ramp = strengths.map((strength) => rgb(shadeOf(strength, surroundings).paper)).join(',');
  const [strong, weak] = [shadeOf(0.75, surroundings), shadeOf(-0.75, surroundings)];
  return [
    `:root{--ramp:linear-gradient(90deg,${ramp});--for:${rgb(strong.paper)};--against:${rgb(weak.paper)}}`,
    ...strengths.map((strength) => rule(strength, shadeOf(strength, surroundings))),
  ].join('\n');
}

const layout = `
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:68rem;margin:0 auto;padding:clamp(1.25rem,4vw,3.5rem) clamp(1rem,4vw,2.5rem) 2rem}
main.wide{max-width:88rem}
h1,h2,p,ol,dl,dd{margin:0;padding:0}
header{display:grid;grid-template-columns:minmax(0,1fr) minmax(16rem,22rem);gap:1.5rem 3rem;align-items:end;margin-bottom:1.75rem}
.eyebrow,.panel h2 small,th,dt{color:var(--dim);font-size:.8125rem;font-weight:500;letter-spacing:.01em}
h1{font-size:clamp(2rem,5vw,3rem);line-height:1.1;letter-spacing:-.02em;font-weight:700;overflow-wrap:anywhere}
h1 .vs{color:var(--dim);font-weight:400}
ol{list-style:none}
.scores li{display:grid;grid-template-columns:minmax(0,1fr) 7rem 4.5rem;gap:.75rem;align-items:center;font-size:.9375rem;color:var(--dim)}
.scores li.explained{color:var(--ink);font-weight:600}
.scores .label{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.number{font-variant-numeric:tabular-nums;text-align:right;white-space:nowrap}
.meter{height:.375rem;border-radius:1rem;background:var(--line);overflow:hidden}
.meter i{display:block;height:100%;width:var(--w);background:currentColor;border-radius:1rem}
.legend{display:flex;align-items:center;gap:.75rem;color:var(--dim);font-size:.8125rem;margin-bottom:1rem;flex-wrap:wrap}
.legend .ramp{width:min(16rem,40vw);height:.75rem;border-radius:.375rem;background:var(--ramp);box-shadow:inset 0 0 0 1px var(--line);position:relative}
.legend .ramp::after{content:"";position:absolute;left:50%;top:-.1875rem;bottom:-.1875rem;width:1px;background:var(--dim)}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.25rem}
.panel{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:clamp(1.1rem,2.5vw,1.9rem);display:flex;flex-direction:column;gap:1.1rem;min-width:0}
.panel h2{font-size:1.1875rem;line-height:1.3;font-weight:650;display:flex;justify-content:space-between;align-items:baseline;gap:1rem;flex-wrap:wrap}
.panel h2 small{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace}
.text{position:relative;font:1.3125rem/2 "Iowan Old Style","Palatino Linotype",Palatino,Charter,Georgia,"Noto Serif",serif;padding-bottom:3.25rem;overflow-wrap:anywhere}
.w{padding:.14em .18em;border-radius:.28em;-webkit-box-decoration-break:clone;box-decoration-break:clone;cursor:default;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.w.z{background:none;color:inherit;padding-left:0;padding-right:0}
.joined:has(+.w:not(.z)){border-top-right-radius:0;border-bottom-right-radius:0}
.w.joined{padding-right:0}
.w:not(.z)+.joins{border-top-left-radius:0;border-bottom-left-radius:0}
.w.joins{padding-left:0}
.w:hover{outline:2px solid var(--ink)}
.special{font:.68em/1 ui-monospace,"SF Mono",Menlo,Consolas,monospace;outline:1px dashed var(--dim);outline-offset:-1px;vertical-align:.12em;padding:.3em .45em;white-space:nowrap;display:inline-block}
.w.special.z{padding:.3em .45em}
.none{color:var(--dim);font-size:.9375rem}
.w::after,.hint{position:absolute;left:0;right:0;bottom:0;padding:.5rem .8rem;border-radius:.5rem;font:.875rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums;pointer-events:none}
.w::after{content:attr(data-tip);visibility:hidden;z-index:1;white-space:normal;background:var(--tip);color:var(--tip-ink)}
.w:hover::after{visibility:visible}
.hint{color:var(--dim);background:var(--page);overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.sum{color:var(--dim);font-size:.875rem;font-variant-numeric:tabular-nums}
.ranks{border-top:1px solid var(--line);padding-top:.9rem;display:grid;gap:.3rem}
.ranks li{display:grid;grid-template-columns:minmax(5rem,9rem) minmax(4rem,1fr) 4.75rem 4.25rem;gap:.75rem;align-items:center;font-size:.9375rem}
.ranks .label{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.ranks li:has(.share:empty){grid-template-columns:minmax(5rem,9rem) minmax(4rem,1fr) 4.75rem}
.ranks .share{color:var(--dim)}
.ranks .share:empty{display:none}
.bar{display:grid;grid-template-columns:1fr 1fr;height:.75rem;background:linear-gradient(var(--line),var(--line)) center/1px 100% no-repeat}
.bar i{display:block;width:var(--w);min-width:2px;height:100%;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.bar .for{grid-column:2;background:var(--for);border-radius:0 .2rem .2rem 0}
.bar .against{grid-column:1;justify-self:end;background:var(--against);border-radius:.2rem 0 0 .2rem}
details{border-top:1px solid var(--line);padding-top:.8rem;font-size:.875rem}
summary{cursor:pointer;color:var(--dim)}
table{border-collapse:collapse;width:100%;margin-top:.6rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .5rem .2rem 0;text-align:left;border-bottom:1px solid var(--line)}
th.number,td.number{text-align:right}
code{font:.9em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
footer{margin-top:2rem;color:var(--dim);font-size:.8125rem}
footer dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem}
dd{overflow-wrap:anywhere}
@media (min-width:60rem){.one .panel{display:grid;grid-template-columns:minmax(0,1.6fr) minmax(21rem,1fr);grid-template-rows:auto auto auto 1fr;column-gap:2.75rem}.one .panel h2,.one .legend{grid-column:1/-1}.one .ranks{grid-column:2;grid-row:2/span 3;border-top:0;padding-top:.4rem;align-content:start}.one .ranks li{grid-template-columns:minmax(4.5rem,7.5rem) minmax(4rem,1fr) 4.25rem 4.25rem}}
@media (max-width:44rem){header{grid-template-columns:minmax(0,1fr);align-items:start}.ranks li{grid-template-columns:minmax(4rem,7rem) minmax(3rem,1fr) 4.25rem}.ranks .share{display:none}}
@media print{body{background:#fff}.hint{visibility:hidden}.panel{break-inside:avoid}}
`;

const day =
  ':root{color-scheme:light dark;--page:#f4f4f2;--card:#fff;--ink:#16181d;--dim:#62666f;--line:#e3e3df;--tip:#16181d;--tip-ink:#fff}';
const atNight =
  ':root{--page:#0f1115;--card:#181b21;--ink:#eceef2;--dim:#9aa0ab;--line:#2b2f38;--tip:#eceef2;--tip-ink:#0f1115}';

/** The style sheet. */
export const pageStyle: string = [
  day,
  shadeRules('light'),
  layout,
  // Shades and surroundings at night; a printed page is a day's
  `@media screen and (prefers-color-scheme:dark){${atNight}\n${shadeRules('dark')}}`,
].join('\n');
