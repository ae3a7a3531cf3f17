(function () {
  var form = document.getElementById('tool');

  function say(text) {
    var message = document.getElementById('message');
    message.textContent = text;
    message.style.display = text ? '' : 'none';
  }

  function ask(address, answered) {
    var request = new XMLHttpRequest();
    request.open('GET', address);
    request.setRequestHeader('X-Api-User', document.getElementById('email').value);
    request.setRequestHeader('X-Api-Key', document.getElementById('password').value);
    request.onload = function () { answered(request); };
    request.onerror = function () { say('The server cannot be reached.'); };
    request.send();
  }

  function showContacts(request) {
    var table = new DOMParser().parseFromString(request.responseText, 'text/html').getElementById('contacts');
    if (!table) { say('The server has sent no contacts (' + request.status + ').'); return; }
    document.getElementById('result').appendChild(document.importNode(table, true));
  }

  form.onsubmit = function () {
    say('');
    document.getElementById('who').textContent = '';
    document.getElementById('result').textContent = '';
    ask(form.getAttribute('data-me'), function (request) {
      var data = null;
      try { data = JSON.parse(request.responseText); } catch (e) { }
      if (data && data.email) {
        document.getElementById('who').textContent = 'Signed in as ' + data.email;
        ask(form.getAttribute('data-contacts'), showContacts);
        return;
      }
      if (data && data.error) { say('The user or the key is wrong.'); return; }
      say('The server gave an unexpected answer (' + request.status + ').');
    });
    return false;
  };
}());
