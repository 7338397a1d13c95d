// The style and the script of the page, without any data. For render_html.cpp alone.
#pragma once

namespace clockshim {

inline constexpr const char* kPageStyle = R"(
:root { color-scheme: light dark; --bg: #fff; --card: #f5f7f9; --line: #dde2e8; --text: #1b2027; --soft: #5a6472; --bar: #bcd4ee; --mark: #2f6fb0;
  --warn: #fdf4df; --warn-line: #e3c878; --advice: #e9f4ec; --advice-line: #9fcbab; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #14181d; --card: #1c2229; --line: #2f3842; --text: #e6eaef; --soft: #9aa5b3; --bar: #2c4f74; --mark: #7fb3e6;
    --warn: #2e2816; --warn-line: #6d5a24; --advice: #172a1d; --advice-line: #36613f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 60px; max-width: 1280px; background: var(--bg); color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
h1 { margin: 0; font-size: 22px; overflow-wrap: anywhere; }
h2 { margin: 32px 0 10px; font-size: 16px; }
.soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 10px; margin: 18px 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
.card b { display: block; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 12px; }
.box { border: 1px solid var(--warn-line); background: var(--warn); border-radius: 8px; padding: 8px 12px; margin: 8px 0; overflow-wrap: anywhere; }
.box.advice { border-color: var(--advice-line); background: var(--advice); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; background: var(--card); padding: 0; white-space: nowrap; }
th button { all: unset; box-sizing: border-box; width: 100%; cursor: pointer; padding: 7px 12px; font-weight: 600; text-align: inherit; }
th button:focus-visible { outline: 2px solid var(--mark); outline-offset: -2px; }
th[aria-sort=ascending] button::after { content: " \2191"; }
th[aria-sort=descending] button::after { content: " \2193"; }
td { padding: 5px 12px; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; min-width: 260px; }
td.share { background: linear-gradient(to right, var(--bar) var(--part), transparent var(--part)); min-width: 90px; }
tbody tr:hover { background: var(--card); }
.via { color: var(--soft); display: block; }
input { font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--line); border-radius: 6px; padding: 5px 10px; margin-bottom: 8px; width: 320px; max-width: 100%; }
svg { display: block; width: 100%; height: auto; }
.bars rect { fill: var(--mark); }
.bars text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.bars line { stroke: var(--line); }
.bars .limit { stroke: #c8553d; stroke-dasharray: 4 3; }
)";

inline constexpr const char* kPageScript = R"((function () {
  document.querySelectorAll('table.sorts').forEach(function (table) {
    var heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
    heads.forEach(function (head, column) {
      head.querySelector('button').addEventListener('click', function () {
        var numbers = head.classList.contains('n'), was = head.getAttribute('aria-sort');
        var up = numbers ? was === 'descending' : was !== 'ascending';
        heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        function value(row) { var cell = row.cells[column]; return numbers ? parseFloat(cell.dataset.v || 0) : cell.textContent; }
        Array.from(body.rows).map(function (row) { return [value(row), row]; }).sort(function (a, b) {
          var order = numbers ? a[0] - b[0] : a[0].localeCompare(b[0]);
          return up ? order : -order;
        }).forEach(function (pair) { body.appendChild(pair[1]); });
      });
    });
  });
  var filter = document.getElementById('filter');
  if (filter) filter.addEventListener('input', function () {
    var wanted = filter.value.toLowerCase();
    Array.from(document.getElementById('callers').tBodies[0].rows).forEach(function (row) {
      row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
    });
  });
})();
)";

}  // namespace clockshim
