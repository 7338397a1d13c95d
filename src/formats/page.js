(function () {
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
