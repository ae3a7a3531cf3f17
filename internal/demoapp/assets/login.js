(function () {
  var form = document.getElementById('login');
  var sent = form && form.getAttribute('data-script');
  if (!sent) { return; }

  function fields() {
    var all = [];
    for (var i = 0; i < form.elements.length; i++) {
      if (form.elements[i].name) { all.push(form.elements[i]); }
    }
    return all;
  }

  function asJSON() {
    var object = {};
    fields().forEach(function (f) {
      var way = sent === 'nested' ? f.name.split('.') : [f.name];
      var last = way.pop();
      var at = object;
      way.forEach(function (key) { at = at[key] = at[key] || {}; });
      at[last] = f.value;
    });
    return JSON.stringify(object);
  }

  function asForm() {
    return fields().map(function (f) {
      return encodeURIComponent(f.name) + '=' + encodeURIComponent(f.value);
    }).join('&');
  }

  function say(text) {
    var message = document.getElementById('message');
    message.textContent = text;
    message.style.display = '';
  }

  function answered(request) {
    var data = null;
    try { data = JSON.parse(request.responseText); } catch (e) { }
    if (data && data.csrf) { form.elements.csrf.value = data.csrf; }
    if (data && data.message) { say(data.message); return; }
    if (data && data.ok === true) { location.href = form.getAttribute('data-next'); return; }
    if (data && data.ok === false) { location.href = form.getAttribute('data-again'); return; }
    var type = request.getResponseHeader('Content-Type') || '';
    if (type.indexOf('text/html') !== 0) {
      say('The server gave an unexpected answer (' + request.status + ').');
      return;
    }
    if (request.responseURL !== form.action) { location.href = request.responseURL; return; }
    document.open();
    document.write(request.responseText);
    document.close();
  }

  form.onsubmit = function () {
    var request = new XMLHttpRequest();
    var body = asForm();
    request.open('POST', form.action);
    request.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
    if (sent !== 'form') {
      body = asJSON();
      request.setRequestHeader('Content-Type', 'application/json');
    } else if (form.enctype === 'multipart/form-data') {
      body = new FormData(form);
    } else {
      request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
    }
    request.onload = function () { answered(request); };
    request.onerror = function () { say('The server cannot be reached.'); };
    request.send(body);
    return false;
  };
}());
