//! The page's style sheet: light and dark, narrow and wide, screen and paper.

pub(super) const CSS: &str = r#"
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2530;--soft:#56616e;--line:#d9dee4;--card:#f5f7f9;--real:#8fa3b8;--deep:#1d4f7c;--syn:#c2410c;--neg:#7c3aed;--good:#15703a;--fair:#8a5a00;--poor:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#12171d;--ink:#e6ebf0;--soft:#a2adb9;--line:#313a45;--card:#1a212a;--real:#6f879f;--deep:#7fb8ee;--syn:#fb8b4c;--neg:#a78bfa;--good:#5fcf8b;--fair:#e5b454;--poor:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
body>*{max-width:1180px;margin:0 auto;padding:0 1rem}body>header{padding-top:1.5rem}body>footer{padding-bottom:4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.4rem 0 .5rem}h3{font-size:1rem;margin:0 0 .2rem;overflow-wrap:anywhere}
p{margin:.2rem 0 .7rem;max-width:75ch}.soft{color:var(--soft)}.small{font-size:.875rem}.whole{white-space:nowrap}
.verdicts,.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.9rem 1rem;min-width:0;break-inside:avoid}
.verdict{border-top:4px solid var(--soft)}.verdict .answer{font-size:1.25rem;font-weight:650;line-height:1.25;margin:.1rem 0 .4rem}.verdict p{margin:0}
.good{border-top-color:var(--good)}.good .answer,b.good{color:var(--good)}.fair{border-top-color:var(--fair)}.fair .answer,b.fair{color:var(--fair)}.poor{border-top-color:var(--poor)}.poor .answer,b.poor{color:var(--poor)}
table{width:100%;border-collapse:collapse;margin:.5rem 0}th,td{text-align:left;vertical-align:top;padding:.5rem .8rem .5rem 0;border-bottom:1px solid var(--line)}
thead th{font-size:.8rem;color:var(--soft);font-weight:600}tbody th{font-weight:600;overflow-wrap:anywhere;min-width:8.5em}td.num,thead th.num{white-space:nowrap;font-variant-numeric:tabular-nums}
tr.group th{padding-top:1.2rem;color:var(--soft);font-size:.875rem}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg text.in{fill:var(--ink)}
.r{fill:var(--real)}.s{fill:var(--syn)}.sl{fill:none;stroke:var(--syn);stroke-width:1.8;stroke-linejoin:round}.cl{fill:none;stroke:var(--syn);stroke-width:1.3;stroke-opacity:.75;stroke-linejoin:round}.cl.real{stroke:var(--deep)}.cl.other{stroke:var(--neg)}.axis{stroke:var(--line);stroke-width:1}.cell{fill:var(--deep)}.neg{fill:var(--neg)}.off{fill:var(--syn)}.frame{fill:none;stroke:var(--line)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em;vertical-align:-.05em}.kr{background:var(--real)}.ks{background:var(--syn)}.kd{background:var(--deep)}.kn{background:var(--neg)}
.legend span{margin-right:1.2em;white-space:nowrap}
img{image-rendering:pixelated;display:block;width:100%;height:auto}figure{margin:0}figcaption{margin-bottom:.5rem}.narrow{max-width:460px}
.sheets{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));margin:1rem 0}
.pairs{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,170px),1fr));margin:1rem 0}.pairs figcaption{margin:.5rem 0 0}.pair{display:grid;grid-template-columns:1fr 1fr;gap:.4rem}
.facts div{display:grid;grid-template-columns:minmax(9rem,16rem) 1fr;gap:0 1rem;padding:.3rem 0;border-bottom:1px solid var(--line)}.facts dt{font-weight:600}.facts dd{margin:0;overflow-wrap:anywhere}
@media(max-width:640px){.facts div{grid-template-columns:1fr}thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}tr,tbody th,td{display:block}tbody th,td{border:0;padding:.1rem 0}tr{border-bottom:1px solid var(--line);padding:.6rem 0}td.text{overflow-wrap:anywhere}td.num{display:inline-block;margin-right:1.2rem}td[data-label]:not(:empty)::before{content:attr(data-label) " ";color:var(--soft);font-size:.8rem}tr.group{border:0;padding-bottom:0}}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--card:#fff;--line:#bbb;--real:#8fa3b8;--deep:#1d4f7c;--syn:#c2410c;--neg:#7c3aed;--good:#15703a;--fair:#8a5a00;--poor:#b3261e}body{font-size:11pt}body>*{padding:0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2,h2+p,.legend,tr.group{break-after:avoid}tr,li{break-inside:avoid}.verdicts{grid-template-columns:repeat(3,1fr)}}
"#;
