'use strict';
(() => {
  const by = (id) => document.getElementById(id);
  const { entries, whole, test, address, started_ms: started } = JSON.parse(by('journal').textContent);
  const AT_ONCE = 5000;
  const WRITES = new Set(['create', 'create2', 'createContainer', 'createTTL', 'delete', 'setData', 'setACL', 'multi', 'reconfig', 'closeSession']);
  const CONNECTIONS = new Set(['accepted', 'disconnected', 'connect', 'connected', 'closing']);
  const OWN = new Set(['clock', 'cut', 'healed', 'stopped', 'started', 'ensemble', 'leading', 'wrote', 'reaped', 'committed']);
  // What happens by itself or by the client; whatever comes until the next of these follows from it.
  const BEGINS = new Set(['accepted', 'disconnected', 'connect', 'request', 'released', 'session_expired', 'muted', 'unmuted',
    'clock', 'cut', 'healed', 'stopped', 'started', 'ensemble', 'reaped']);
  const MARKED = new Set(['fault', 'held', 'released', 'cut', 'healed']);
  const COLOURS = ['#3b78c9', '#c2703d', '#3f9a63', '#9a5bc7', '#b8923a', '#c0567f', '#3d9aa8', '#7b7f33'];

  const element = (name, classes, text) => {
    const made = document.createElement(name);
    if (classes) made.className = classes;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  // Paths and data come from any client, so control characters and marks of the writing direction are escaped.
  const shown = (text) => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (odd) => '\\u' + odd.charCodeAt(0).toString(16).padStart(4, '0'));
  const data = (value) => {
    if (!value || value.length === 0) return '';
    const begin = value.text !== undefined ? JSON.stringify(value.text) : `0x${value.hex || ''}`;
    const cut = begin.length > 60 ? begin.slice(0, 60) + '…' : begin;
    return ' ' + shown(cut) + (value.length > 40 ? ` (${value.length} bytes)` : '');
  };
  const paths = (list) => (list || []).slice(0, 6).map((path) => ' ' + (path === '' ? '""' : shown(path))).join('')
    + ((list || []).length > 6 ? ` and ${list.length - 6} more` : '');
  const seconds = (ms) => `${ms < 0 ? '-' : '+'}${(Math.abs(ms) / 1000).toFixed(3)}s`;
  const words = (value) => {
    if (value === null || typeof value !== 'object') return shown(value);
    return Object.entries(value).map(([key, inner]) => key === 'fault' || key === 'action' ? shown(inner) : `${key} ${words(inner)}`).join(' ');
  };

  // One lane for each label, with all its sessions and the connections that never had one. A client without a label has one
  // lane for each session.
  const sessionOf = new Map();
  for (const e of entries) {
    if (e.connection === undefined) continue;
    const session = e.kind === 'connected' && e.granted !== '0x0' ? e.granted : e.session;
    if (session && session !== '0x0') sessionOf.set(e.connection, session);
  }
  const clientOf = (e) => (e.connection !== undefined ? sessionOf.get(e.connection) : undefined) || e.session
    || (e.connection !== undefined ? `connection ${e.connection}` : undefined);
  const labelOf = new Map();
  for (const e of entries) if (e.label !== undefined) labelOf.set(clientOf(e), e.label);
  const lanes = [];
  const laneByKey = new Map();
  // The lane of what no client does: the test's own writes, the clock, cut links, the server itself.
  const own = { at: -1, name: 'test, server', own: true, clients: new Map(), members: new Set(), on: true, connections: new Set(), sessions: new Set() };
  const laneOf = (e) => {
    const client = clientOf(e);
    if (client === undefined || OWN.has(e.kind)) return own;
    const label = e.label !== undefined ? e.label : labelOf.get(client);
    const key = label !== undefined ? `label ${label}` : client;
    let lane = laneByKey.get(key);
    if (!lane) {
      // Clients are its sessions, each with its number in the lane; connections are those that are up, sessions those alive.
      lane = { at: lanes.length, name: label !== undefined ? label : client, clients: new Map(), members: new Set(), label, on: true,
        connections: new Set(), sessions: new Set() };
      lanes.push(lane);
      laneByKey.set(key, lane);
    }
    if (!lane.clients.has(client)) lane.clients.set(client, lane.clients.size + 1);
    if (e.connection !== undefined) lane.members.add(e.member || 1);
    return lane;
  };
  // Which of the sessions of a lane, where it has several.
  const markOf = (lane, client) => lane && lane.clients.size > 1 && lane.clients.has(client) ? `#${lane.clients.get(client)}` : '';

  // Rows: a step of the server, with whatever follows from it.
  const rows = [];
  let row = null;
  // Rows share these as long as nothing changes.
  let up = new Map();
  const set = (lane, state) => { if (up.get(lane) !== state) up = new Map(up).set(lane, state); };
  const feel = (lane) => set(lane, lane.connections.size > 0 ? 'up' : lane.sessions.size > 0 ? 'down' : '');
  const NO_LANES = new Set();
  const cuts = new Map();
  const isCut = (whose, lane, member) => (whose.label === undefined || whose.label === lane.label)
    && (whose.session === undefined || lane.clients.has(whose.session))
    && (whose.member === undefined || whose.member === member);
  const memberNow = new Map();
  // Connections that are gone, or whose session is.
  const over = new Set();
  for (const e of entries) {
    const lane = laneOf(e);
    const kind = e.kind;
    const zxid = kind === 'reply' ? (WRITES.has(e.operation) && !e.error ? e.zxid : undefined)
      : ['watch_event', 'session_closed', 'session_expired', 'reaped', 'wrote', 'committed'].includes(kind) ? e.zxid : undefined;
    // What the test wrote is noted behind the events that it made.
    const joins = kind === 'connect' ? row && row.items.every((item) => item.e.kind === 'accepted' && item.e.connection === e.connection)
      : kind === 'wrote' ? row && row.open && row.items.every((item) => item.e.kind === 'watch_event') && row.zxid === zxid
      : row && !BEGINS.has(kind) && (row.open || !['watch_event', 'session_closed'].includes(kind));
    if (!joins) {
      row = { items: [], zxid: undefined, open: true, marked: false, ping: false, read: false, connection: false, at: rows.length };
      rows.push(row);
    }
    const answers = kind === 'reply' ? 'request' : kind === 'connected' ? 'connect' : undefined;
    const request = answers && row.items.find((item) => item.e.kind === answers && item.e.connection === e.connection && item.e.xid === e.xid && !item.reply);
    if (request) request.reply = e; else row.items.push({ e, lane });
    if (kind === 'reply' || kind === 'connected' || kind === 'wrote') row.open = false;
    if (zxid !== undefined && (row.zxid === undefined || kind !== 'watch_event')) row.zxid = zxid;
    row.marked = row.marked || MARKED.has(kind);
    if (kind === 'cut') cuts.set(e.cut, e.on);
    if (kind === 'healed') cuts.delete(e.cut);
    if (lane !== own) {
      if (kind === 'accepted') memberNow.set(lane, e.member || 1);
      if (kind === 'connected' && e.granted !== '0x0') {
        // One that comes by another label leaves the lane where it was.
        for (const other of lanes) if (other !== lane && other.sessions.delete(e.granted)) feel(other);
        lane.sessions.add(e.granted);
      }
      if (kind === 'session_closed' || kind === 'session_expired') {
        lane.sessions.delete(e.session);
        for (const [connection, session] of sessionOf) if (session === e.session) { over.add(connection); lane.connections.delete(connection); }
      } else if (kind === 'disconnected') {
        over.add(e.connection);
        lane.connections.delete(e.connection);
      } else {
        if (e.connection !== undefined && !over.has(e.connection)) lane.connections.add(e.connection);
        if (e.connection !== undefined && e.session && e.session !== '0x0' && !over.has(e.connection)) lane.sessions.add(e.session);
      }
      feel(lane);
    }
    row.up = up;
    row.cut = cuts.size > 0 ? new Set() : NO_LANES;
    for (const whose of cuts.values()) for (const other of lanes) if (isCut(whose, other, memberNow.get(other))) row.cut.add(other);
  }
  for (const made of rows) {
    const first = made.items[0].e;
    made.ping = made.items.every((item) => item.e.operation === 'ping');
    made.read = made.items.every((item) => ['request', 'reply'].includes(item.e.kind) && !WRITES.has(item.e.operation)) && !made.ping;
    made.connection = made.items.every((item) => CONNECTIONS.has(item.e.kind));
    made.number = first.number;
    made.elapsed = first.elapsed_ms;
    made.text = made.items.map((item) => JSON.stringify(item.e) + (item.reply ? JSON.stringify(item.reply) : '')).join(' ').toLowerCase();
  }

  const answer = (into, reply) => {
    if (reply.error) { into.append(element('span', 'refused', ` → ${reply.error}`)); return; }
    const result = reply.created !== undefined ? shown(reply.created) : reply.kind === 'reply' && reply.data ? data(reply.data).trim() || '""'
      : reply.children !== undefined ? `${reply.children} ${reply.children === 1 ? 'child' : 'children'}` : 'ok';
    into.append(element('span', 'answer', ` → ${result}`));
  };
  const heldMessage = (held) => held.kind === 'watch_event' ? `event ${held.event_type} ${shown(held.path)}`
    : held.kind === 'connected' ? 'reply connect'
    : held.kind === 'connect' ? `request connect${held.session === '0x0' ? '' : ` session ${held.session}`}`
    : `${held.kind} ${held.operation || 'unknown operation'}${paths(held.paths)}`;
  const chip = (item) => {
    const e = item.e;
    const made = element('div', 'chip');
    const mark = item.lane === own ? '' : markOf(item.lane, clientOf(e));
    if (mark) made.append(element('span', 'mark', `${mark} `));
    // The heading has the sessions, and the mark says which one: here is only another.
    const session = (id) => id === clientOf(e) ? '' : item.lane && item.lane.clients.has(id) ? markOf(item.lane, id) : id;
    const again = (id) => session(id) === '' ? ' again' : ` session ${session(id)}`;
    const say = (classes, strong, rest) => {
      made.classList.add(classes);
      made.append(element('em', '', strong));
      if (rest) made.append(rest);
    };
    switch (e.kind) {
      case 'request':
      case 'reply': {
        const name = e.operation || 'unknown operation';
        say(WRITES.has(e.operation) ? 'write' : 'read', name, paths(e.paths));
        if (e.kind === 'request') {
          made.append(data(e.data));
          if (e.watch) made.append(element('span', 'soft', ' watch'));
          if (item.reply) answer(made, item.reply);
          else made.append(element('span', 'soft', ' …'));
        } else answer(made, e);
        break;
      }
      case 'watch_event': say('event', `◆ ${e.event_type}`, ` ${shown(e.path)}`); break;
      case 'fault': say('fault', `⚡ ${shown(e.name)}`, `: ${words(e.then)}`); break;
      case 'held': say('hold', `‖ held ${e.item}`, `: ${heldMessage(e.message)}`); break;
      case 'released': say('hold', `▶ released ${e.item}`, `: ${heldMessage(e.message)}`); break;
      case 'session_expired': say('end', '✕ session expired', paths(e.deleted) ? `, deleted${paths(e.deleted)}` : ''); break;
      case 'session_closed': say('end', '✕ session closed', paths(e.deleted) ? `, deleted${paths(e.deleted)}` : ''); break;
      case 'reaped': say('end', '✕ reaped', ` ${shown(e.path)}`); break;
      case 'committed': say('link', 'committed', ` ${e.change}${paths(e.paths)}`); break;
      case 'accepted': say('link', 'accepted', ` from ${shown(e.peer)}${lanes.some((lane) => lane.members.size > 1) ? ` by member ${e.member || 1}` : ''}`); break;
      case 'disconnected': say('link', 'disconnected'); break;
      case 'closing': say('link', 'closing', ` ${e.reason}`); break;
      case 'connect':
        say('link', 'connect', e.asked === '0x0' ? '' : again(e.asked));
        if (item.reply) {
          const { granted } = item.reply;
          if (granted === '0x0') made.append(element('span', 'refused', ' → refused'));
          else made.append(element('span', 'answer', ` → ${item.reply.new ? 'new' : 'resumed'} session${granted === e.asked ? '' : ` ${session(granted)}`.trimEnd()}`));
        } else made.append(element('span', 'soft', ' …'));
        break;
      case 'connected': say('link', 'connect', e.granted === '0x0' ? ' → refused' : ` → ${e.new ? 'new' : 'resumed'} session ${session(e.granted)}`.trimEnd()); break;
      case 'clock': say('hold', 'clock', ` ${seconds(e.to - e.from)}`); break;
      case 'cut': say('fault', '✂ links cut', ` ${e.direction}: ${words(e.on)}`); break;
      case 'healed': say('fault', '✂ links healed', ` (${e.cut})`); break;
      case 'wrote': say('test', `test: ${e.operation}`, paths(e.paths) + data(e.data)); answer(made, e); break;
      case 'stopped': say('fault', '■ server stopped'); break;
      case 'started': say('link', '▶ server started again'); break;
      case 'leading': say('fault', '★', e.leader ? ` member ${e.leader} leads, epoch ${e.epoch}` : ' no member leads'); break;
      case 'ensemble': say('fault', 'ensemble', ` ${words(e.action)}`); break;
      default: say('read', e.kind, '');
    }
    return made;
  };

  const hasOwn = rows.some((made) => made.items.some((item) => item.lane === own));
  let shownRows = [];
  let limit = AT_ONCE;
  let only = null;
  const shownLanes = () => [...(hasOwn ? [own] : []), ...lanes].filter((lane) => lane.on);
  const draw = (made) => {
    const visible = shownLanes();
    const line = element('div', 'row');
    line.tabIndex = -1;
    line.setAttribute('role', 'row');
    line.id = `row-${made.number}`;
    const gutter = element('div', 'gutter', seconds(made.elapsed));
    gutter.setAttribute('role', 'rowheader');
    gutter.prepend(element('b', '', made.number));
    if (made.zxid !== undefined) gutter.append(element('i', '', made.zxid));
    line.append(gutter);
    visible.forEach((lane, at) => {
      const state = lane.own ? 'own' : `${made.up.get(lane) || ''} ${made.cut.has(lane) ? 'cut' : ''}`;
      const cell = element('div', `cell ${state}`);
      cell.style.gridColumn = at + 2;
      if (!lane.own) cell.style.setProperty('--lane', COLOURS[lane.at % COLOURS.length]);
      cell.append(...made.items.filter((item) => item.lane === lane).map(chip));
      line.append(cell);
    });
    line.made = made;
    return line;
  };
  const filter = () => {
    const wanted = by('search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const [reads, pings, connections] = ['reads', 'pings', 'connections'].map((id) => by(id).checked);
    shownRows = rows.filter((made) => (pings || !made.ping) && (reads || !made.read) && (connections || !made.connection)
      && (only === null || made.zxid === only)
      && wanted.every((word) => made.text.includes(word))
      && made.items.some((item) => item.lane.on));
    by('shown').textContent = only !== null ? `only zxid ${only}: ${shownRows.length} of ${rows.length} rows`
      : shownRows.length === rows.length ? `${rows.length} rows` : `${shownRows.length} of ${rows.length} rows`;
    const visible = shownLanes();
    document.documentElement.style.setProperty('--lanes', Math.max(1, visible.length));
    by('head').replaceChildren(element('div', 'gutter', ''), ...visible.map((lane) => {
      const title = element('div', '', shown(lane.name));
      if (!lane.own) title.style.borderLeft = `3px solid ${COLOURS[lane.at % COLOURS.length]}`;
      const sessions = [...lane.clients.keys()].filter((client) => client !== lane.name)
        .map((client) => `${markOf(lane, client)} ${client}`.trimStart());
      const members = lane.members.size > 1 || [...lane.members].some((member) => member > 1) ? [`member ${[...lane.members].join(', ')}`] : [];
      title.append(element('small', '', [...sessions, ...members].join(' ')));
      return title;
    }));
    const body = document.createDocumentFragment();
    for (const made of shownRows.slice(0, limit)) body.append(draw(made));
    by('rows').replaceChildren(body);
    by('none').hidden = shownRows.length > 0;
    by('more').hidden = shownRows.length <= limit;
  };
  const current = () => document.activeElement && document.activeElement.closest('#rows .row');
  const pick = (line) => {
    if (!line) return;
    for (const other of document.querySelectorAll('.picked')) other.classList.remove('picked');
    const zxid = line.made.zxid;
    if (zxid !== undefined) for (const other of by('rows').children) if (other.made.zxid === zxid) other.classList.add('picked');
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: 'nearest' });
    if (!by('detail').hidden) showDetail(line);
  };
  const fields = (value, into) => {
    for (const [key, inner] of Object.entries(value)) {
      into.append(element('dt', '', key.replaceAll('_', ' ')));
      const text = element('dd');
      if (Array.isArray(inner) && inner.every((each) => typeof each !== 'object')) text.textContent = inner.map(shown).join(', ') || 'none';
      else if (inner !== null && typeof inner === 'object') { const list = element('dl'); fields(inner, list); text.append(list); }
      else text.textContent = shown(inner === '' ? '""' : inner);
      into.append(text);
    }
  };
  const showDetail = (line) => {
    const all = line.made.items.flatMap((item) => [item.e, ...(item.reply ? [item.reply] : [])]);
    by('entries').replaceChildren(...all.map((e) => {
      const { number, kind, ...rest } = e;
      const entry = element('section');
      entry.append(element('h2', '', `${number} ${kind.replaceAll('_', ' ')}`));
      const list = element('dl');
      fields(rest, list);
      const raw = element('details');
      raw.append(element('summary', '', 'JSON'), element('pre', '', shown(JSON.stringify(e))));
      entry.append(list, raw);
      return entry;
    }));
    by('detail').hidden = false;
    // The panel takes its height from the rows above it, so the row may have to move.
    line.scrollIntoView({ block: 'nearest' });
  };
  const step = (forward, fits) => {
    const lines = [...by('rows').children];
    const at = lines.indexOf(current());
    const from = at < 0 ? (forward ? -1 : lines.length) : at;
    for (let next = from + (forward ? 1 : -1); next >= 0 && next < lines.length; next += forward ? 1 : -1) {
      if (fits(lines[next].made)) { pick(lines[next]); return; }
    }
  };

  const boxes = by('clients');
  const choices = [...(hasOwn ? [own] : []), ...lanes].map((lane) => {
    const box = element('input');
    box.type = 'checkbox';
    box.checked = true;
    const choose = (on) => { lane.on = on; box.checked = on; };
    box.addEventListener('change', () => { lane.on = box.checked; filter(); });
    const label = element('label', '');
    label.append(box, shown(lane.name));
    const only = element('button', 'only', 'only');
    only.type = 'button';
    only.title = `Show only ${shown(lane.name)}`;
    only.setAttribute('aria-label', only.title);
    only.addEventListener('click', () => { choices.forEach((other) => other(false)); choose(true); filter(); });
    const choice = element('span', 'choice');
    choice.append(label, only);
    boxes.append(choice);
    return choose;
  });
  for (const [text, on] of [['all', true], ['none', false]]) {
    const button = element('button', 'only', text);
    button.type = 'button';
    button.addEventListener('click', () => { choices.forEach((choose) => choose(on)); filter(); });
    boxes.append(button);
  }
  boxes.hidden = choices.length < 2;
  let due = 0;
  by('search').addEventListener('input', () => { clearTimeout(due); due = setTimeout(filter, 80); });
  for (const id of ['reads', 'pings', 'connections']) by(id).addEventListener('change', filter);
  by('tools').addEventListener('submit', (event) => event.preventDefault());
  by('more').addEventListener('click', () => { limit += AT_ONCE; filter(); });
  by('close').addEventListener('click', () => { by('detail').hidden = true; });
  by('rows').addEventListener('click', (event) => {
    const line = event.target.closest('.row');
    if (line && String(getSelection()) === '') { pick(line); showDetail(line); }
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.id === 'search';
    if (event.key === 'Escape') {
      if (!by('detail').hidden) by('detail').hidden = true;
      else if (only !== null) { only = null; filter(); }
      else if (typing) { by('search').value = ''; by('search').blur(); filter(); }
      return;
    }
    if (typing) return;
    const all = () => true;
    const actions = {
      j: () => step(true, all), k: () => step(false, all), ArrowDown: () => step(true, all), ArrowUp: () => step(false, all),
      n: () => step(true, (made) => made.marked), p: () => step(false, (made) => made.marked),
      '/': () => by('search').focus(),
      Enter: () => { if (current()) showDetail(current()); },
      z: () => { const line = current(); only = only === null && line ? line.made.zxid ?? null : null; filter(); },
    };
    if (event.target.tagName === 'INPUT' || event.target.tagName === 'BUTTON') { if (event.key !== '/') return; }
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  const last = entries[entries.length - 1];
  const of = [test, address, started !== undefined && new Date(started).toISOString().replace('T', ' ').replace('Z', ' UTC')];
  by('of').textContent = of.filter(Boolean).map(shown).join(' · ');
  if (test || address) document.title = `${shown(test || address)}: minikeeper timeline`;
  by('about').textContent = entries.length === 0 ? 'nothing passed'
    : `${entries.length} entries, ${seconds(entries[0].elapsed_ms)} to ${seconds(last.elapsed_ms)}`
      + (whole ? '' : '; what passed before is not kept, or the journal was off');
  filter();
  const wanted = location.hash.slice(1) && by(location.hash.slice(1));
  if (wanted && wanted.made) pick(wanted);
})();
