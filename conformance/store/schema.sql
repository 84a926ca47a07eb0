-- The results store: results.db in a results directory, an SQLite database.
--
-- application_id says that it is ours (the letters LKLB), user_version which
-- schema it has. A program reads its own schema, migrates older ones
-- (schema.cc) and refuses newer ones. To change the schema: change it here,
-- raise user_version here and kSchemaVersion in schema.h, and add the step
-- from the version before to schema.cc.
--
-- A row is written in the transaction in which its thing was found; nothing is
-- ever changed after its run has finished. Times are in nanoseconds or seconds
-- as the name says; text is of any bytes, as the system gave it; booleans are 0
-- and 1. Where rows of one run have an order, it is that of their rowid.
PRAGMA application_id = 0x4c4b4c42;
PRAGMA user_version = 4;

-- One run of locklab check, or of locklab bench.
CREATE TABLE runs (
  run INTEGER PRIMARY KEY,          -- within this store, in the order begun
  run_id TEXT NOT NULL UNIQUE,      -- of this run and no other, in any store
  state TEXT NOT NULL               -- 'running' until its verdict is stored:
      CHECK (state IN ('running', 'finished')),
                                    -- a killed run stays so
  writer TEXT NOT NULL,             -- the process that runs it, as a record of
                                    -- lib/owner.h: whether it still lives
  suite_version TEXT NOT NULL,      -- of the program that ran and judged
  seed TEXT NOT NULL,               -- decimal, 64 bits without a sign
  command_line TEXT NOT NULL,
  dir TEXT NOT NULL,                -- what was examined
  other_mount TEXT NOT NULL,        -- `dir` through another mount, or ''
  profile TEXT NOT NULL,            -- 'quick' or 'full'
  claims_chosen INTEGER NOT NULL,   -- by the filter,
  claims_total INTEGER NOT NULL,    -- of so many that there are
  filesystem_type TEXT NOT NULL,    -- of `dir`: 'ext4'
  filesystem_source TEXT NOT NULL,  -- '/dev/vda'
  filesystem_options TEXT NOT NULL, -- of the mount
  filesystem_shared INTEGER NOT NULL, -- other hosts may have it mounted
  kernel TEXT NOT NULL,
  host TEXT NOT NULL,
  processors INTEGER NOT NULL,
  started TEXT NOT NULL,            -- UTC, '2026-01-02T03:04:05Z'
  duration_s REAL,                  -- NULL: not known
  cut_short TEXT NOT NULL,          -- why it ended before its plan, or ''
  exit_code INTEGER,                -- of the program; NULL while it runs
  variant TEXT NOT NULL DEFAULT '', -- the filesystem of the lab, or ''
  kind TEXT NOT NULL DEFAULT 'check' -- 'bench': it has rows in measured, series
                                    -- and samples, and none in the others
) STRICT;
CREATE INDEX runs_by_directory ON runs (dir, started);

-- Versions of what else had a part in a run.
CREATE TABLE versions (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  name TEXT NOT NULL,               -- 'sqlite'
  version TEXT NOT NULL             -- '3.40.1'
) STRICT;
CREATE INDEX versions_of_run ON versions (run);

-- The expectations files that were given.
CREATE TABLE expectation_files (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  path TEXT NOT NULL
) STRICT;
CREATE INDEX expectation_files_of_run ON expectation_files (run);

-- The locks that were examined.
CREATE TABLE backends (
  backend INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  name TEXT NOT NULL,               -- 'link'
  verdict TEXT NOT NULL,            -- 'safe', 'unsafe', 'unsupported',
                                    -- 'inconclusive': also until judged
  reason TEXT NOT NULL,             -- why it is not simply safe, or ''
  supported INTEGER NOT NULL,       -- by the directory, as the probe found it
  complete INTEGER NOT NULL,        -- all was done that was planned
  released_on_crash INTEGER NOT NULL, -- as declared: by the kernel
  floor_ns INTEGER,                 -- the bare system calls, median
  UNIQUE (run, name)
) STRICT;
CREATE INDEX backends_over_runs ON backends (name, run);

-- What was found of each claim.
CREATE TABLE claims (
  claim INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  backend TEXT,                     -- its name; NULL: a primitive, a claim of
                                    -- the directory itself (see carries)
  id TEXT NOT NULL,                 -- 'exclusion.herd'
  level TEXT NOT NULL,              -- 'MUST', 'SHOULD', 'REPORT'
  verdict TEXT NOT NULL,            -- 'pass', 'fail', 'xfail', 'xpass',
                                    -- 'unsupported', 'inconclusive'
  reason TEXT NOT NULL,             -- what was seen, one sentence
  evidence TEXT NOT NULL,           -- lines that show it, or ''
  replay TEXT NOT NULL,             -- the command that runs it again, or ''
  duration_s REAL,                  -- NULL: not known
  expected_reason TEXT,             -- the line of an expectations file that
  expected_link TEXT,               -- says it is known; NULL: there is none
  expected_where TEXT,              -- 'ext4.expect:12'
  FOREIGN KEY (run, backend) REFERENCES backends (run, name) ON DELETE CASCADE
) STRICT;
CREATE INDEX claims_of_run ON claims (run, backend);
CREATE INDEX claims_over_runs ON claims (id, backend, run);

-- Which locks stand on a primitive.
CREATE TABLE carries (
  entry INTEGER PRIMARY KEY,
  claim INTEGER NOT NULL REFERENCES claims ON DELETE CASCADE,
  backend TEXT NOT NULL             -- its name; perhaps not examined
) STRICT;
CREATE INDEX carries_of_claim ON carries (claim);

-- Many processes on one lock. wait: from wanting the lock to having it.
CREATE TABLE contention (
  run INTEGER NOT NULL,
  backend TEXT NOT NULL,
  processes INTEGER NOT NULL,
  acquisitions INTEGER NOT NULL,
  violations INTEGER NOT NULL,      -- times at which two of them held it
  jain REAL,                        -- fairness: 1 is equal shares
  wait_ns_p50 INTEGER NOT NULL,
  wait_ns_p90 INTEGER NOT NULL,
  wait_ns_p99 INTEGER NOT NULL,
  wait_ns_p99_9 INTEGER NOT NULL,
  wait_ns_max INTEGER NOT NULL,
  PRIMARY KEY (run, backend),
  FOREIGN KEY (run, backend) REFERENCES backends (run, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Acquire and release with nobody else there; its floor is in backends.
CREATE TABLE latency (
  run INTEGER NOT NULL,
  backend TEXT NOT NULL,
  ns_p50 INTEGER NOT NULL,
  ns_p90 INTEGER NOT NULL,
  ns_p99 INTEGER NOT NULL,
  ns_p99_9 INTEGER NOT NULL,
  ns_max INTEGER NOT NULL,
  PRIMARY KEY (run, backend),
  FOREIGN KEY (run, backend) REFERENCES backends (run, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Whole distributions, of which the percentiles above are a part.
CREATE TABLE distributions (
  distribution INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  backend TEXT NOT NULL,
  of TEXT NOT NULL,                 -- 'wait_ns': what, and its unit
  buckets BLOB NOT NULL,            -- for each bucket two numbers: its largest
                                    -- value less that of the bucket before,
                                    -- and its count. Each number n as
                                    -- (n << 1) ^ (n >> 63), seven bits a byte,
                                    -- the lowest first, the top bit set on all
                                    -- bytes but the last
  FOREIGN KEY (run, backend) REFERENCES backends (run, name) ON DELETE CASCADE
) STRICT;
CREATE INDEX distributions_of_backend ON distributions (run, backend);

-- Where processes were made to die in the middle of an operation, and whether
-- the others got on.
CREATE TABLE crash_points (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  backend TEXT NOT NULL,
  point TEXT NOT NULL,              -- 'acquire:3:before'
  waiters INTEGER NOT NULL,         -- who wanted the lock meanwhile
  call TEXT NOT NULL,               -- 'Link job.lock'
  verdict TEXT NOT NULL,            -- as in claims
  reason TEXT NOT NULL,             -- what was seen, or ''
  recovery_ns INTEGER,              -- to the next grant; NULL: there was none
  FOREIGN KEY (run, backend) REFERENCES backends (run, name) ON DELETE CASCADE
) STRICT;
CREATE INDEX crash_points_of_backend ON crash_points (run, backend);

-- The lock that is broken on purpose. No row: was not reached.
CREATE TABLE canary (
  run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  name TEXT NOT NULL,
  caught INTEGER NOT NULL,
  reason TEXT NOT NULL              -- what it was caught by
) STRICT;

-- What the command line required and is not to be had.
CREATE TABLE missing (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  what TEXT NOT NULL
) STRICT;
CREATE INDEX missing_of_run ON missing (run);

-- Which lock to use in the directory. No row: too little was examined.
CREATE TABLE recommendation (
  run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  backend TEXT NOT NULL,            -- '': none
  reason TEXT NOT NULL
) STRICT;

-- Files that a run left beside the store, in runs/RUN_ID/: histories. Those of
-- a run that was killed are there, too, but have no row.
CREATE TABLE artifacts (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  path TEXT NOT NULL,               -- below runs/RUN_ID: 'history/link/0.log'
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,             -- of its content, 64 hexadecimal digits
  UNIQUE (run, path)
) STRICT;

-- What locklab bench measured of a lock counts only while it was correct.
CREATE TABLE measured (
  entry INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  backend TEXT NOT NULL,            -- its name
  verdict TEXT NOT NULL,            -- as in claims
  reason TEXT NOT NULL,             -- why it is no pass, or ''
  UNIQUE (run, backend)
) STRICT;

-- One number of a lock, measured again and again.
CREATE TABLE series (
  series INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  backend TEXT NOT NULL,            -- its name
  measure TEXT NOT NULL,            -- 'hand-off'
  unit TEXT NOT NULL,               -- 'ns'; less is better
  buckets BLOB NOT NULL,            -- of all that its samples are medians or
                                    -- percentiles of, as in distributions, or
                                    -- no bytes
  UNIQUE (run, backend, measure)
) STRICT;
CREATE INDEX series_over_runs ON series (backend, measure, run);

-- In the order in which they were taken.
CREATE TABLE samples (
  series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
  sample INTEGER NOT NULL,          -- 0, 1, ...
  value REAL NOT NULL,              -- positive
  PRIMARY KEY (series, sample)
) STRICT, WITHOUT ROWID;
