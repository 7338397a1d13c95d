(function () {
  var boxes = Array.prototype.slice.call(document.querySelectorAll('.f'));
  function number(box, name) { return parseFloat(box.getAttribute(name)); }
  function fit(name, room) {
    var all = Array.from(name), tail = Math.floor(room / 3);
    if (all.length <= room) return name;
    return room < 3 ? '' : all.slice(0, room - tail - 2).join('') + '..' + all.slice(all.length - tail).join('');
  }
  function zoom(to) {
    var from = number(to, 'data-x'), share = number(to, 'data-w'), tiny = 1e-6;
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
  boxes.forEach(function (box) { box.addEventListener('click', function () { zoom(box); }); });
})();
