import { kinds } from '../lib/events.js';
import { esc } from '../lib/html.js';

const chip = (kind, count) => `
  <button type="button" class="chip" data-kind="${kind}" aria-pressed="false">
    <span class="chip__icon" aria-hidden="true">${kinds[kind].icon}</span>
    ${kinds[kind].label}
    <span class="chip__count">${count}</span>
  </button>`;

export const item = (event) => `
  <li class="event" data-kind="${event.kind}" data-slug="${event.slug}">
    <span class="event__day">${esc(event.day)}</span>
    <a href="/event/${event.slug}">${esc(event.title)}</a>
    <span class="event__place">${esc(event.place)}</span>
  </li>`;

export const listPage = (events) => `
  <h1>What is on</h1>
  <div class="chips" role="group" aria-label="Kinds">
    ${Object.keys(kinds).map((kind) => chip(kind, events.filter((e) => e.kind === kind).length)).join('')}
  </div>
  <ul class="events">${events.map(item).join('')}</ul>`;
