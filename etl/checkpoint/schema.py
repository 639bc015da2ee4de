"""The tables of the checkpoint, and why each is shaped as it is.

The narrow table `row` holds the state of every row and is what the sender updates; payloads and the cells as read lie
beside it in `segment`s of some thousand rows, written once, so that a state change never rewrites a payload.
"""

from __future__ import annotations

FORMAT = 7  #: raised when the tables or what is hashed change; another number is refused

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- one command line that sends
CREATE TABLE run (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, plan INTEGER, started_at TEXT NOT NULL, ended_at TEXT,
  carried INTEGER NOT NULL DEFAULT 0);       -- rows of earlier inputs that were open when it began

-- one pass of half one over some inputs; its rows can be sent once `finished` is 1
CREATE TABLE plan (
  id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, mapping TEXT NOT NULL, started_at TEXT NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,   -- sent: a run came to its end with it
  already INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0,
  looked INTEGER NOT NULL DEFAULT 0,         -- nobody has asked for it to be sent; see `looked`
  first_row INTEGER NOT NULL DEFAULT 0);     -- rows after this one are its own

CREATE TABLE input (
  id INTEGER PRIMARY KEY, plan INTEGER NOT NULL, path TEXT NOT NULL, header TEXT NOT NULL,   -- header: JSON list
  read INTEGER NOT NULL DEFAULT 0,
  merged INTEGER NOT NULL DEFAULT 0);        -- rows that went into another row of their group

CREATE TABLE skipped (
  input INTEGER NOT NULL, reason TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (input, reason)) WITHOUT ROWID;

-- rows that half one refused; `cells` JSON list as read, `raw` where it could not be cut into cells
CREATE TABLE reject (
  input INTEGER NOT NULL, line INTEGER NOT NULL, key BLOB, problems TEXT NOT NULL, cells TEXT NOT NULL, raw TEXT NOT NULL);

-- Arrow IPC streams, zstd: the payloads as JSON, and the cells as read; each with its CRC-32
CREATE TABLE segment (
  id INTEGER PRIMARY KEY, input INTEGER NOT NULL, payloads BLOB, cells BLOB,
  payloads_crc INTEGER NOT NULL, cells_crc INTEGER NOT NULL);

CREATE TABLE row (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL,               -- 16 bytes
  hash BLOB NOT NULL,              -- 16 bytes over payload and links in words
  input INTEGER NOT NULL,          -- the last input that held it
  line INTEGER NOT NULL,
  segment INTEGER NOT NULL, pos INTEGER NOT NULL,
  type TEXT NOT NULL, time_ms INTEGER NOT NULL,
  state TEXT NOT NULL,             -- flow.State
  links TEXT NOT NULL,             -- owner|contacts|companies|deals|tickets, ids joined by commas
  shape TEXT NOT NULL,             -- how many contacts, companies, deals and tickets: 1,1,0,0
  wanted TEXT,                     -- links in words as JSON, while parked
  attempt INTEGER NOT NULL DEFAULT 0,   -- intents written
  doubts INTEGER NOT NULL DEFAULT 0,    -- times it became unknown
  request INTEGER,                 -- the last request that held it
  run INTEGER,                     -- the run in which it reached its state
  remote_id TEXT, reason TEXT,
  content_seal INTEGER NOT NULL, fate_seal INTEGER NOT NULL,    -- see `seals`
  code TEXT,                       -- of errors.ROW_CODES, for a row rejected after planning by somebody else than the account
  parked_ms INTEGER);              -- since when it waits

-- rows that a plan which is only looked at found here, as they were before it; see `looked`
CREATE TABLE before_look AS SELECT * FROM row;

-- what is done to rows that are in the account: by a later export (update), or to take a run back (archive, restore).
-- From `hash` on: the content that the row is to have; once done, the content that it had before
CREATE TABLE change (
  id INTEGER PRIMARY KEY, row INTEGER NOT NULL, what TEXT NOT NULL,
  state TEXT NOT NULL,             -- planned, in_flight, unknown, done, conflict, failed
  plan INTEGER,                    -- the plan that brought the content
  undoes INTEGER,                  -- the run that is taken back
  run INTEGER, request INTEGER,    -- the run in which it reached its state, and its last request
  remote_id TEXT NOT NULL, reason TEXT, at TEXT NOT NULL, input INTEGER, line INTEGER,
  hash BLOB, segment INTEGER, pos INTEGER, time_ms INTEGER, links TEXT, shape TEXT, content_seal INTEGER);
CREATE INDEX change_row ON change (row);

-- created rows of the time that a plan's inputs cover, which they do not hold
CREATE TABLE vanished (plan INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (plan, row)) WITHOUT ROWID;

-- verdict `doubted`: nothing was sent, but a lost commit may have sent its rows
CREATE TABLE request (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, wire TEXT NOT NULL, rows INTEGER NOT NULL, sent_at TEXT NOT NULL,
  answered_at TEXT, verdict TEXT, reason TEXT,
  changes INTEGER NOT NULL DEFAULT 0);   -- rows that were there and that it changes, beside those that it creates

-- what a person had done to rows whose state was final
CREATE TABLE operation (at TEXT NOT NULL, what TEXT NOT NULL, rows INTEGER NOT NULL);

-- contacts that the mapping creates; state: planned, sent (its answer has not come), created, rejected. See `newcomers`
CREATE TABLE newcomer (
  name TEXT NOT NULL UNIQUE, properties TEXT NOT NULL, state TEXT NOT NULL, sent_at REAL, remote_id TEXT, reason TEXT);

-- files that rows attach, by content (SHA-256, hex); `path` absolute, `remote_id` once the account has it. See `uploads`
CREATE TABLE upload (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, bytes INTEGER NOT NULL, remote_id TEXT) WITHOUT ROWID;

-- what look-ups answered; ids: JSON list. Asked again by each new plan
CREATE TABLE directory (
  kind TEXT NOT NULL, by TEXT NOT NULL, value TEXT NOT NULL, ids TEXT NOT NULL, PRIMARY KEY (kind, by, value)) WITHOUT ROWID;
"""

#: What only the plan at hand needs to remember: in SQLite's temporary file, gone with the process, as the plan would be.
PLAN_SCHEMA = """
-- rows that the checkpoint knew before this plan; `fate` says what `finish_plan` does with them: `take` the new payload,
-- only `move` the row to this input, or `leave` it as it is (created). From `segment` on: null where no payload is kept
DROP TABLE IF EXISTS temp.seen;
CREATE TEMP TABLE seen (
  row INTEGER PRIMARY KEY, fate TEXT NOT NULL, hash BLOB NOT NULL, input INTEGER NOT NULL, line INTEGER NOT NULL,
  segment INTEGER, pos INTEGER, type TEXT, time_ms INTEGER, links TEXT, shape TEXT, wanted TEXT, reason TEXT,
  content_seal INTEGER);

-- values of `unique` columns
DROP TABLE IF EXISTS temp.uniq;
CREATE TEMP TABLE uniq (
  name TEXT NOT NULL, hash BLOB NOT NULL, line INTEGER NOT NULL, key BLOB NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (name, hash)) WITHOUT ROWID;

-- all rows of a checkpoint's first plan as they were inserted, until a run begins; see `counts.as_inserted`
DROP TABLE IF EXISTS temp.inserted;
CREATE TEMP TABLE inserted (
  state TEXT NOT NULL, type TEXT NOT NULL, shape TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY (state, type, shape)) WITHOUT ROWID;
"""

#: The index of keys is made after the first plan has staged its rows, and kept from then on. There is no other: reading
#: the narrow rows in their order is quick, and an index of states would be written twice for every row sent.
KEY_INDEX = "CREATE UNIQUE INDEX row_key ON row (key)"
