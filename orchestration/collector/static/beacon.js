// Tells Pennypost's collector which article is read, if and only if the visitor has agreed.
//   <script src="https://collector.example/beacon.js" data-article="art-0003" defer></script>
// The shop's consent banner calls pennypost.consent(true) or (false); the answer is kept on this site, for this site. Without a yes,
// or with Global Privacy Control on, nothing is sent and no id exists. Nothing here knows who anybody is.
(function (page, me) {
  var CONSENT = "pennypost-consent", VISITOR = "pennypost-visitor", sent = false;

  function kept(name, value) {
    try {
      if (value === null) localStorage.removeItem(name);
      else if (value) localStorage.setItem(name, value);
      return localStorage.getItem(name);
    } catch (storageIsOff) {
      return null;
    }
  }

  function id() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (byte) { return (byte + 256).toString(16).slice(1); }).join("");
  }

  function visitor() {
    if (kept(CONSENT) !== "yes" || navigator.globalPrivacyControl) return null;
    return kept(VISITOR) || kept(VISITOR, id());
  }

  function view() {
    var article = me.getAttribute("data-article"), who = visitor();
    if (sent || !article || !who) return;
    sent = navigator.sendBeacon(new URL("v1/article-views", me.src), JSON.stringify({
      event_id: id(),
      article_id: article,
      url: location.origin + location.pathname,
      visitor_id: who,
      referrer: page.referrer.split(/[?#]/)[0] || null,
      tracking_consent: true
    }));
  }

  window.pennypost = {
    visitor: visitor,
    consented: function () { return kept(CONSENT); },
    consent: function (yes) {
      kept(CONSENT, yes ? "yes" : "no");
      if (yes) view();
      else kept(VISITOR, null);
    }
  };
  view();
})(document, document.currentScript);
