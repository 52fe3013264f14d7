//! The processes of a back end on one database. Each has a clock of its own, and keys in memory
//! by the rules of `server/src/engine/keys.rs`.

use crate::tokens::{DAY, Time};

/// Milliseconds for which a new key is published before it signs.
const PUBLISH_AHEAD: Time = 60_000.0;

/// Keys that were read so many milliseconds ago are read again.
pub(crate) const REREAD: Time = 30_000.0;

/// A key of access tokens signs for so many milliseconds.
const ROTATION: Time = 7.0 * DAY;

/// For so many milliseconds after a look-up that failed there is none. After one that did not, the
/// request waits, which takes no time here.
const COOL_DOWN: Time = 500.0;

/// The tokens that a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Access,
    Anonymous,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    number: u32,
    /// In epoch milliseconds, by the clock of the process that made it.
    created_at: Time,
    /// Whether it took the place of one that was stolen, and so may sign before all know it.
    is_sudden: bool,
}

/// The database could not be asked for a key, so nobody knows whether it is there.
pub(crate) struct Unknown;

/// The keys of one kind, oldest first.
#[derive(Clone, Debug)]
struct Keys(Vec<Key>);

impl Keys {
    fn new(now: Time) -> Self {
        Self(vec![Key { number: 0, created_at: now - DAY, is_sudden: false }])
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.0.iter().position(|key| key.number == number)
    }

    /// A new key beside those that there are, by the clock of the process that makes it.
    fn add(&mut self, now: Time) {
        let newest = self.0.last();
        let number = newest.map_or(0, |newest| newest.number + 1);
        let created_at = newest.map_or(now, |newest| now.max(newest.created_at + 1.0));
        self.0.push(Key { number, created_at, is_sudden: false });
    }

    /// All keys but the newest are deleted.
    fn keep_newest(&mut self) {
        self.0.drain(..self.0.len() - 1);
        self.0[0].is_sudden = true;
    }

    /// The key that signs.
    fn signing(&self, now: Time) -> u32 {
        let published = self.0.iter().rfind(|key| key.created_at + PUBLISH_AHEAD <= now);
        published.unwrap_or(&self.0[0]).number
    }

    /// Whether the newest has signed for long enough.
    fn is_due(&self, now: Time) -> bool {
        self.0.last().is_none_or(|newest| newest.created_at + ROTATION <= now)
    }
}

/// The keys of both kinds, in the database or in the memory of a process.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    access: Keys,
    anonymous: Keys,
}

impl KeySet {
    fn new(now: Time) -> Self {
        Self { access: Keys::new(now), anonymous: Keys::new(now) }
    }

    fn of(&self, kind: KeyKind) -> &Keys {
        match kind {
            KeyKind::Access => &self.access,
            KeyKind::Anonymous => &self.anonymous,
        }
    }

    fn of_mut(&mut self, kind: KeyKind) -> &mut Keys {
        match kind {
            KeyKind::Access => &mut self.access,
            KeyKind::Anonymous => &mut self.anonymous,
        }
    }

    pub(crate) fn has(&self, kind: KeyKind, number: u32) -> bool {
        self.of(kind).position(number).is_some()
    }

    /// Whether the key waited until all processes had read it.
    pub(crate) fn was_published(&self, kind: KeyKind, number: u32) -> bool {
        self.of(kind).0.iter().any(|key| key.number == number && !key.is_sudden)
    }

    /// All keys of this kind but the newest are deleted.
    pub(crate) fn keep_newest(&mut self, kind: KeyKind) {
        self.of_mut(kind).keep_newest();
    }
}

/// A process. Its times are by its own clock.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Milliseconds by which its clock is ahead.
    ahead: Time,
    /// Whether the database is away for this process alone.
    is_cut: bool,
    memory: KeySet,
    /// When the keys were last read, or should have been.
    last_read: Time,
    /// When they were.
    memory_of: Time,
    /// When a look-up last failed.
    last_failure: Time,
    /// When it last answered a request while it had the database, and all that it was to read.
    last_contact: Time,
}

impl Process {
    /// It starts, and reads the keys. `now` by the true clock.
    fn new(ahead: Time, stored: &KeySet, now: Time) -> Self {
        let now = now + ahead;
        Self {
            ahead,
            is_cut: false,
            memory: stored.clone(),
            last_read: now,
            memory_of: now,
            last_failure: 0.0,
            last_contact: now,
        }
    }

    /// Its own time. `now` by the true clock.
    pub(crate) fn time(&self, now: Time) -> Time {
        now + self.ahead
    }

    pub(crate) fn knows(&self, kind: KeyKind, number: u32) -> bool {
        self.memory.has(kind, number)
    }

    /// Whether it had the time to read what was stored half a minute ago, where the clocks of the
    /// processes differ by `difference`.
    fn is_up_to_date(&self, difference: Time, now: Time) -> bool {
        now - self.last_contact < REREAD - difference
    }

    /// Whether it has read the keys after this time of its clock.
    fn has_read_since(&self, time: Time) -> bool {
        self.last_contact >= time + REREAD
    }

    fn read(&mut self, stored: &KeySet, now: Time) {
        self.memory.clone_from(stored);
        (self.last_read, self.memory_of) = (now, now);
    }

    /// Looks an unknown key up. `stored` if it has the database.
    fn look_up(
        &mut self,
        (kind, number): (KeyKind, u32),
        stored: Option<&KeySet>,
        now: Time,
    ) -> Result<(), Unknown> {
        if self.knows(kind, number) {
            return Ok(());
        }
        if now - self.last_failure < COOL_DOWN {
            return Err(Unknown);
        }
        let Some(stored) = stored else {
            // One that failed counts as read.
            (self.last_failure, self.last_read) = (now, now);
            return Err(Unknown);
        };
        self.read(stored, now);
        Ok(())
    }

    /// After each request: the keys are read in the background.
    fn rest(&mut self, stored: Option<&KeySet>, now: Time) {
        if now - self.last_read >= REREAD {
            self.last_read = now;
            if let Some(stored) = stored {
                self.read(stored, now);
            }
        }
        if stored.is_some() && now - self.memory_of < REREAD {
            self.last_contact = now;
        }
    }

    /// The key of anonymous tokens that signs.
    pub(crate) fn signing(&self, now: Time) -> u32 {
        self.memory.anonymous.signing(now)
    }

    /// Whether a newer key of anonymous tokens than this one signs.
    pub(crate) fn is_superseded(&self, number: u32, now: Time) -> bool {
        let keys = &self.memory.anonymous;
        keys.position(number) < keys.position(self.signing(now))
    }

    /// The key of access tokens that signs. Keys of long ago are read before that, and one that is
    /// due is made. Nothing of the sort is signed without the database.
    fn access_key(&mut self, stored: &mut KeySet, now: Time) -> u32 {
        if now - self.last_read >= REREAD {
            self.read(stored, now);
        }
        if self.memory.access.is_due(now) {
            if stored.access.is_due(now) {
                stored.access.add(now);
            }
            self.read(stored, now);
        }
        self.memory.access.signing(now)
    }
}

/// The processes, their database as far as they read keys in it, and the balancer before them.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) keys: KeySet,
    /// Whether the database is away for all.
    pub(crate) is_down: bool,
    processes: [Process; 2],
    /// The processes that answer the next eight requests, a bit for each, and so on.
    balancer: u8,
}

impl Cluster {
    /// Two processes, of which the clock of the second is ahead by so many milliseconds.
    pub(crate) fn new(balancer: u8, ahead: Time, now: Time) -> Self {
        let keys = KeySet::new(now);
        let processes = [0.0, ahead].map(|ahead| Process::new(ahead, &keys, now));
        Self { keys, is_down: false, processes, balancer }
    }

    fn at(&self) -> usize {
        usize::from(self.balancer & 1)
    }

    /// The process whose turn it is.
    pub(crate) fn process(&self) -> &Process {
        &self.processes[self.at()]
    }

    /// Whether the process whose turn it is has the database.
    pub(crate) fn has_database(&self) -> bool {
        !self.is_down && !self.process().is_cut
    }

    /// The time of a request that begins now, by the clock of the process whose turn it is.
    pub(crate) fn begin(&self, now: Time) -> Time {
        self.process().time(now)
    }

    /// The process whose turn it is looks up those of the keys that it does not know.
    pub(crate) fn look_up(
        &mut self,
        mut keys: impl Iterator<Item = (KeyKind, u32)>,
        now: Time,
    ) -> Result<(), Unknown> {
        let (at, has_database) = (self.at(), self.has_database());
        let stored = has_database.then_some(&self.keys);
        keys.try_for_each(|key| self.processes[at].look_up(key, stored, now))
    }

    /// The key with which the process whose turn it is signs an access token.
    pub(crate) fn access_key(&mut self, now: Time) -> u32 {
        let at = self.at();
        self.processes[at].access_key(&mut self.keys, now)
    }

    /// A request ends. The next one may be another process's.
    pub(crate) fn end(&mut self, now: Time) {
        let (at, has_database) = (self.at(), self.has_database());
        self.processes[at].rest(has_database.then_some(&self.keys), now);
        self.balancer = self.balancer.rotate_right(1);
    }

    // From here on, `now` is the true time.

    /// Each process has answered requests of others.
    pub(crate) fn rest(&mut self, now: Time) {
        for process in &mut self.processes {
            let has_database = !self.is_down && !process.is_cut;
            process.rest(has_database.then_some(&self.keys), now + process.ahead);
        }
    }

    /// A process publishes a new key of this kind. `false` if it cannot.
    pub(crate) fn publish_key(&mut self, kind: KeyKind, process: u8, now: Time) -> bool {
        let process = &mut self.processes[usize::from(process % 2)];
        if self.is_down || process.is_cut {
            return false;
        }
        let now = now + process.ahead;
        self.keys.of_mut(kind).add(now);
        process.read(&self.keys, now);
        true
    }

    /// A process starts anew. `false` if it cannot.
    pub(crate) fn restart(&mut self, process: u8, now: Time) -> bool {
        let process = &mut self.processes[usize::from(process % 2)];
        if self.is_down || process.is_cut {
            return false;
        }
        *process = Process::new(process.ahead, &self.keys, now);
        true
    }

    /// The database is away for this process.
    pub(crate) fn cut(&mut self, process: u8) {
        self.processes[usize::from(process % 2)].is_cut = true;
    }

    /// Whether the database is away for some process.
    pub(crate) fn is_impaired(&self) -> bool {
        self.is_down || self.processes.iter().any(|process| process.is_cut)
    }

    /// The database is there for all processes.
    pub(crate) fn restore(&mut self) {
        self.is_down = false;
        for process in &mut self.processes {
            process.is_cut = false;
        }
    }

    /// Whether a process may sign an access token with a key that was deleted.
    pub(crate) fn believes_deleted_key(&self) -> bool {
        let stored = &self.keys.access;
        let is_gone = |key: &Key| stored.position(key.number).is_none();
        self.processes.iter().any(|process| process.memory.access.0.iter().any(is_gone))
    }

    /// Milliseconds by which the clocks differ.
    pub(crate) fn clock_difference(&self) -> Time {
        (self.processes[0].ahead - self.processes[1].ahead).abs()
    }

    /// Whether the process whose turn it is had the time to read all keys that may sign by now.
    pub(crate) fn should_know_all(&self, now: Time) -> bool {
        let process = self.process();
        process.is_up_to_date(self.clock_difference(), now + process.ahead)
    }

    /// Whether the process whose turn it is has read the keys since this time.
    pub(crate) fn has_read_since(&self, time: Time) -> bool {
        let process = self.process();
        process.has_read_since(time + process.ahead)
    }
}
