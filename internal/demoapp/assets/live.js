(function () {
  var board = document.getElementById('live');
  var form = document.getElementById('say');

  function line(text) {
    var item = document.createElement('li');
    item.textContent = text;
    board.appendChild(item);
  }

  // openBoard connects the board; the query may name the visitor.
  window.openBoard = function (query) {
    var socket = new WebSocket(location.origin.replace(/^http/, 'ws') + board.getAttribute('data-address') + query);
    socket.onmessage = function (message) { line(message.data); };
    socket.onclose = function () { line('The connection has ended.'); };
    form.onsubmit = function () {
      socket.send(form.elements.words.value);
      form.elements.words.value = '';
      return false;
    };
  };

  if (document.currentScript.hasAttribute('data-start')) { window.openBoard(''); }
}());
