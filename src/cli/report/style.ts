/** What the report has on top of every page's style. */
export const REPORT_STYLE = `
.ending { border-left: 4px solid; padding: .4rem .8rem; background: var(--panel); margin: 1rem 0 1.5rem }
.good { border-color: var(--accepted) } .bad { border-color: var(--failed) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.6rem, 1fr)); gap: .8rem; margin: 0 }
.tiles div { background: var(--panel); border-radius: 8px; padding: .8rem 1rem } .tiles dt { color: var(--muted) }
.tiles dd { margin: 0 } .tiles b { display: block; font-size: 1.45rem; line-height: 1.4 } .tiles span { color: var(--muted); font-size: .88rem }
.bar { display: flex; height: 1.4rem; border-radius: 6px; overflow: hidden; gap: 2px; margin: 0 0 .8rem }
.bar span { background: var(--color); min-width: 3px } .dot, .key { display: inline-block; background: var(--color) }
.dot { width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem }
.name { white-space: nowrap } .legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; margin: 0 0 .5rem }
.key { width: 1.4rem; height: 3px; vertical-align: middle; margin-right: .4rem }
.key.dashed { background: repeating-linear-gradient(90deg, var(--color) 0 6px, transparent 6px 10px) }
.plot { display: flex; gap: .5rem; height: 14rem } .plot svg { flex: 1; min-width: 0; height: 100%; border-left: 1px solid var(--line); border-bottom: 1px solid var(--line) }
.plot path { stroke-width: 2; vector-effect: non-scaling-stroke } .plot .rule { stroke: var(--line); stroke-width: 1 }
.up { display: flex; flex-direction: column; justify-content: space-between; text-align: right; min-width: 2.6rem }
.along { display: flex; justify-content: space-between; padding-left: 3.1rem }
.up, .along { color: var(--muted); font-size: .8rem } .foot { margin-top: 3rem; font-size: .88rem }`;
