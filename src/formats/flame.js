// Keys: arrows move the focus, Enter zooms, Esc ends the search and shows all, / searches.
(function () {
  var boxes = Array.prototype.slice.call(document.querySelectorAll('.f')), root = boxes[0], shown = root;
  var find = document.getElementById('find'), found = document.getElementById('found');
  if (!root) return;
  function number(box, name) { return parseFloat(box.getAttribute(name)); }
  function row(box) { return parseFloat(box.querySelector('rect').getAttribute('y')); }
  function visible(box) { return box.style.display !== 'none'; }
  function inside(box, x, w) { return number(box, 'data-x') < x + w - 1e-6 && number(box, 'data-x') + number(box, 'data-w') > x + 1e-6; }
  function fit(name, room) {
    var all = Array.from(name), tail = Math.floor(room / 3);
    if (all.length <= room) return name;
    return room < 3 ? '' : all.slice(0, room - tail - 2).join('') + '..' + all.slice(all.length - tail).join('');
  }
  function zoom(to) {
    var from = number(to, 'data-x'), share = number(to, 'data-w'), tiny = 1e-6;
    shown = to;
    boxes.forEach(function (box) {
      var x = number(box, 'data-x'), w = number(box, 'data-w');
      var left = Math.max(0, (x - from) / share), right = Math.min(1, (x + w - from) / share), wide = (right - left) * 1200;
      box.style.display = x + w <= from + tiny || x >= from + share - tiny || wide < 0.1 ? 'none' : '';
      if (box.style.display) return;
      var rect = box.querySelector('rect'), text = box.querySelector('text');
      rect.setAttribute('x', left * 1200);
      rect.setAttribute('width', Math.max(wide - 0.5, 0.1));
      text.setAttribute('x', left * 1200 + 4);
      text.textContent = fit(box.getAttribute('data-n'), Math.floor(Math.max(0, wide - 8) / 6.6));
    });
  }
  // Marks the boxes whose name holds the text, and tells which part of the calls they are. A box below a marked one has its calls already.
  function search(wanted) {
    var part = 0, counted = [];
    boxes.forEach(function (box) {
      var x = number(box, 'data-x'), w = number(box, 'data-w');
      var is = wanted !== '' && box.getAttribute('data-n').toLowerCase().indexOf(wanted.toLowerCase()) >= 0;
      box.classList.toggle('m', is);
      if (!is || counted.some(function (other) { return inside(other, x, w); })) return;
      counted.push(box);
      part += w;
    });
    if (found) found.textContent = wanted === '' ? '' : counted.length === 0 ? 'nothing found' : (part * 100).toFixed(2) + ' % of the calls';
  }
  function neighbour(box, key) {
    var x = number(box, 'data-x'), w = number(box, 'data-w'), rows = boxes.filter(visible);
    var step = row(boxes[1] || box), best = null;
    if (key === 'ArrowUp' || key === 'ArrowDown') {
      var to = row(box) + (key === 'ArrowUp' ? -step : step);
      rows.forEach(function (other) { if (!best && row(other) === to && inside(other, x, w)) best = other; });
      return best;
    }
    rows = rows.filter(function (other) { return row(other) === row(box); });
    return rows[rows.indexOf(box) + (key === 'ArrowLeft' ? -1 : 1)];
  }
  function focus(box) {
    boxes.forEach(function (other) { other.setAttribute('tabindex', other === box ? '0' : '-1'); });
    box.focus();
  }
  boxes.forEach(function (box) {
    box.setAttribute('tabindex', box === root ? '0' : '-1');
    box.setAttribute('role', 'button');
    box.addEventListener('click', function () { zoom(box); });
    box.addEventListener('keydown', function (event) {
      if (event.key === 'Enter' || event.key === ' ') {
        zoom(box);
      } else if (event.key.indexOf('Arrow') === 0) {
        var to = neighbour(box, event.key);
        if (to) focus(to);
      } else {
        return;
      }
      event.preventDefault();
    });
  });
  if (find) find.addEventListener('input', function () { search(find.value); });
  document.addEventListener('keydown', function (event) {
    var typing = event.target.tagName === 'INPUT';
    if (event.key === 'Escape') {
      if (typing && event.target !== find) return;
      search('');
      if (find) find.value = '';
      zoom(root);
      focus(root);
    } else if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (find) { find.focus(); } else { search(window.prompt('find functions', '') || ''); }
    }
  });
})();
