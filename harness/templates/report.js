'use strict';
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const by = (id) => document.getElementById(id);
  const cases = all('.case'), chapters = all('.chapter'), boxes = all('#tools input[type=checkbox]');
  const search = by('search');
  const texts = new Map();
  const text = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };
  const apply = () => {
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const element of cases) {
      const fits = element.dataset.v.split(' ').some((result) => wanted.has(result))
        && words.every((word) => text(element).includes(word));
      element.hidden = !fits;
      shown += fits;
    }
    const narrowed = words.length > 0 || wanted.size < boxes.length;
    for (const chapter of chapters) {
      chapter.hidden = !chapter.querySelector('.case:not([hidden])');
      if (narrowed) chapter.open = true;
    }
    by('shown').textContent = narrowed ? `${shown} of ${cases.length} cases` : `${cases.length} cases`;
    by('none').hidden = shown > 0;
  };
  const show = (element) => {
    for (let at = element; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
    element.scrollIntoView({ block: 'start' });
    const summary = element.querySelector('summary');
    if (summary) summary.focus({ preventScroll: true });
  };
  const step = (by) => {
    const bad = all('.case[data-v*=different]:not([hidden]), .case[data-v*=failed]:not([hidden])');
    if (bad.length === 0) return;
    const at = bad.indexOf(document.activeElement && document.activeElement.closest('.case'));
    const next = at < 0 ? (by > 0 ? 0 : bad.length - 1) : (at + by + bad.length) % bad.length;
    show(bad[next]);
  };
  const follow = () => {
    const element = by(decodeURIComponent(location.hash.slice(1)));
    if (element && element.tagName === 'DETAILS') show(element);
  };
  let due = 0;
  search.addEventListener('input', () => { clearTimeout(due); due = setTimeout(apply, 80); });
  for (const box of boxes) box.addEventListener('change', apply);
  by('tools').addEventListener('submit', (event) => event.preventDefault());
  by('open').addEventListener('click', () => {
    for (const element of [...chapters, ...cases]) if (!element.hidden) element.open = true;
  });
  by('close').addEventListener('click', () => {
    for (const element of [...cases, ...chapters]) element.open = false;
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape' && event.target === search) { search.value = ''; apply(); search.blur(); return; }
    if (event.target.tagName === 'INPUT' && event.target.type === 'search') return;
    if (event.key === '/') { event.preventDefault(); search.focus(); search.select(); }
    else if (event.key === 'n') step(1);
    else if (event.key === 'p') step(-1);
  });
  window.addEventListener('hashchange', follow);
  if (boxes.some((box) => !box.checked) || search.value) apply();
  follow();
})();
