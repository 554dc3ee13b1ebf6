/**
 * What a report's page does by itself: read-outs on charts, choosing among examples, Escape closes an explanation.
 * Plain browser JavaScript, placed into the page as it stands; without it everything is there to read, one below the other.
 */
export const CLIENT = `'use strict';
(() => {
  const charts = JSON.parse(document.getElementById('chart-data').textContent);

  for (const data of charts) {
    const figure = document.querySelector('[data-chart="' + data.id + '"]');
    const svg = figure.querySelector('svg[role=img]');
    const cursor = svg.querySelector('.cursor');
    const hair = cursor.querySelector('line');
    const dots = [...cursor.querySelectorAll('circle')];
    const readout = figure.querySelector('.readout');
    let at = data.steps.length - 1;

    const hide = () => { cursor.setAttribute('hidden', ''); readout.hidden = true; };
    const show = (index) => {
      at = Math.max(0, Math.min(data.steps.length - 1, index));
      const x = data.x[at];
      for (const [name, value] of [['x1', x], ['x2', x], ['y1', data.top], ['y2', data.bottom]]) hair.setAttribute(name, value);
      const lines = [element('b', 'step ' + data.steps[at])];
      data.lines.forEach((line, i) => {
        const there = line.y[at] !== null;
        dots[i].style.display = there ? '' : 'none';
        if (there) { dots[i].setAttribute('cx', x); dots[i].setAttribute('cy', line.y[at]); }
        const row = element('span', line.name + '  ');
        row.style.setProperty('--c', line.colour);
        row.append(element('b', there ? number(line.smooth[at]) : '–'));
        if (there && line.logged[at] !== number(line.smooth[at])) row.append(element('small', ' logged ' + line.logged[at]));
        lines.push(row);
      });
      readout.replaceChildren(...lines);
      cursor.removeAttribute('hidden');
      readout.hidden = false;
    };

    svg.addEventListener('pointermove', (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * (svg.viewBox.baseVal.width / box.width);
      let nearest = 0;
      data.x.forEach((value, i) => { if (Math.abs(value - x) < Math.abs(data.x[nearest] - x)) nearest = i; });
      show(nearest);
    });
    svg.addEventListener('pointerleave', () => { if (document.activeElement !== svg) hide(); });
    svg.addEventListener('focus', () => { if (svg.matches(':focus-visible')) show(at); });
    svg.addEventListener('blur', hide);
    svg.addEventListener('keydown', (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: data.steps.length - 1, PageUp: at - 10, PageDown: at + 10 }[event.key];
      if (event.key === 'Escape') hide();
      if (to === undefined) return;
      event.preventDefault();
      show(to);
    });
  }

  function element(name, text) {
    const node = document.createElement(name);
    node.textContent = text;
    return node;
  }
  function number(value) {
    const size = Math.abs(value);
    const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.01 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
    return text.replace('-', '−');
  }

  const picker = document.querySelector('.picker');
  if (picker) {
    const examples = [...document.querySelectorAll('.example')];
    const status = document.querySelector('.status');
    const chosen = (name) => (picker.elements[name] ? new FormData(picker).get(name) : '0');
    const choose = () => {
      const moment = chosen('moment');
      const of = examples.filter((example) => example.dataset.moment === moment);
      const there = new Set(of.map((example) => example.dataset.variant));
      for (const radio of picker.querySelectorAll('[name=variant]')) radio.disabled = !there.has(radio.value);
      const wanted = of.find((example) => example.dataset.variant === chosen('variant')) ?? of[0];
      for (const radio of picker.querySelectorAll('[name=variant]')) radio.checked = radio.value === wanted.dataset.variant;
      for (const example of examples) example.hidden = example !== wanted;
      return wanted;
    };
    picker.addEventListener('change', () => { status.textContent = 'Showing ' + choose().getAttribute('aria-label'); });
    picker.hidden = false;
    choose();
  }

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && document.activeElement?.classList.contains('v')) document.activeElement.blur();
  });
})();
`;
