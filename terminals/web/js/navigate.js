// Going to another view; app.js listens.

export function reload() {
  dispatchEvent(new Event('hashchange'));
}

export function go(path) {
  const wanted = `#/${path}`;
  if (location.hash === wanted || (path === '' && location.hash === '')) reload();
  else location.hash = wanted;
}
