(function () {
  var app = document.getElementById('app');
  var login = document.getElementById('login');
  var desk = document.getElementById('desk');
  var message = document.getElementById('message');
  var key = 'crm_token';
  var renewal = null;

  function token() { return sessionStorage.getItem(key); }

  function say(text) {
    message.textContent = text;
    message.style.display = text ? '' : 'none';
  }

  function show(signedIn) {
    login.style.display = signedIn ? 'none' : '';
    desk.style.display = signedIn ? '' : 'none';
  }

  function forget(text) {
    sessionStorage.removeItem(key);
    clearTimeout(renewal);
    show(false);
    say(text);
  }

  // keep takes the token of an answer and has it renewed in time.
  function keep(data) {
    sessionStorage.setItem(key, data.access_token);
    clearTimeout(renewal);
    renewal = setTimeout(renew, data.expires_in * 800);
  }

  function call(address, method) {
    return fetch(address, { method: method, headers: { Authorization: 'Bearer ' + token() } });
  }

  function renew() {
    return call(app.getAttribute('data-refresh'), 'POST').then(function (response) {
      if (!response.ok) { throw new Error('no new token'); }
      return response.json();
    }).then(keep);
  }

  // ask asks for data, with a new token if the old one is too old.
  function ask(address) {
    return call(address, 'GET').then(function (response) {
      return response.status === 401 ? renew().then(function () { return call(address, 'GET'); }) : response;
    }).then(function (response) {
      if (!response.ok) { throw new Error('no data'); }
      return response.json();
    });
  }

  function row(contact) {
    var line = document.createElement('tr');
    ['name', 'company', 'email', 'phone', 'city'].forEach(function (name) {
      line.insertCell().textContent = contact[name];
    });
    return line;
  }

  function contacts() {
    return ask(app.getAttribute('data-contacts')).then(function (data) {
      document.querySelector('#contacts tbody').replaceChildren.apply(
        document.querySelector('#contacts tbody'), data.contacts.map(row));
    });
  }

  function ended() { forget('You are not signed in any more.'); }

  function open() {
    ask(app.getAttribute('data-me')).then(function (me) {
      document.querySelector('.user').textContent = me.email;
      say('');
      show(true);
      if (window.openBoard) { window.openBoard('?access_token=' + encodeURIComponent(token())); }
      return contacts();
    }).catch(ended);
  }

  login.onsubmit = function () {
    fetch(app.getAttribute('data-login'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: login.elements.email.value, password: login.elements.password.value })
    }).then(function (response) {
      return response.json().catch(function () { return {}; }).then(function (data) {
        if (response.ok) { keep(data); open(); return; }
        say(data.message || 'Signing in did not work. Please try again later.');
      });
    }).catch(function () { say('The server cannot be reached.'); });
    return false;
  };

  document.getElementById('show').onclick = function () { contacts().catch(ended); };

  document.getElementById('export-link').onclick = function () {
    this.href = app.getAttribute('data-export') + '?access_token=' + encodeURIComponent(token());
  };

  document.getElementById('signout').onclick = function () {
    call(app.getAttribute('data-logout'), 'POST').finally(function () { forget(''); });
  };

  if (token()) { open(); }
}());
