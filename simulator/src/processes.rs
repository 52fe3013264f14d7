//! The processes of a back end on one database. Each has a clock of its own, and keys in memory
//! by the rules of `server/src/engine/keys.rs`.

use crate::tokens::{DAY, Time};

/// Milliseconds for which a new key is published before it signs.
const PUBLISH_AHEAD: Time = 60_000.0;

/// Keys that were read so many milliseconds ago are read again.
pub(crate) const REREAD: Time = 30_000.0;

/// For so many milliseconds after a look-up that failed there is none. After one that did not, the
/// request waits, which takes no time here.
const COOL_DOWN: Time = 500.0;

/// A key of anonymous tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) number: u32,
    /// In epoch milliseconds, by the clock of the process that made it.
    created_at: Time,
    /// Whether it took the place of one that was stolen, and so may sign before all know it.
    is_sudden: bool,
}

/// The database could not be asked for a key, so nobody knows whether it is there.
pub(crate) struct Unknown;

/// The keys in the database, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    fn new(now: Time) -> Self {
        Self(vec![Key { number: 0, created_at: now - DAY, is_sudden: false }])
    }

    pub(crate) fn newest(&self) -> u32 {
        self.0.last().map_or(0, |key| key.number)
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.0.iter().any(|key| key.number == number)
    }

    /// Whether the key waited until all processes had read it.
    pub(crate) fn was_published(&self, number: u32) -> bool {
        self.0.iter().any(|key| key.number == number && !key.is_sudden)
    }

    /// A new key beside those that there are, by the clock of the process that makes it.
    fn add(&mut self, now: Time) {
        let number = self.newest() + 1;
        let created_at = self.0.last().map_or(now, |newest| now.max(newest.created_at + 1.0));
        self.0.push(Key { number, created_at, is_sudden: false });
    }

    /// All keys but the newest are deleted.
    pub(crate) fn keep_newest(&mut self) {
        self.0.drain(..self.0.len() - 1);
        self.0[0].is_sudden = true;
    }
}

/// A process. Its times are by its own clock.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// Milliseconds by which its clock is ahead.
    ahead: Time,
    /// Whether the database is away for this process alone.
    is_cut: bool,
    memory: Keys,
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
    fn new(ahead: Time, stored: &Keys, now: Time) -> Self {
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

    pub(crate) fn knows(&self, number: u32) -> bool {
        self.memory.has(number)
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

    fn read(&mut self, stored: &Keys, now: Time) {
        self.memory.0.clone_from(&stored.0);
        (self.last_read, self.memory_of) = (now, now);
    }

    /// Looks an unknown key up. `stored` if it has the database.
    fn look_up(&mut self, number: u32, stored: Option<&Keys>, now: Time) -> Result<(), Unknown> {
        if self.knows(number) {
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
    fn rest(&mut self, stored: Option<&Keys>, now: Time) {
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

    /// The key that signs.
    pub(crate) fn signing(&self, now: Time) -> u32 {
        let keys = &self.memory.0;
        let published = keys.iter().rfind(|key| key.created_at + PUBLISH_AHEAD <= now);
        published.unwrap_or(&keys[0]).number
    }

    /// Whether a newer key than this one signs.
    pub(crate) fn is_superseded(&self, number: u32, now: Time) -> bool {
        let keys = &self.memory.0;
        let position = |number| keys.iter().position(|key| key.number == number);
        position(number) < position(self.signing(now))
    }
}

/// The processes, their database as far as they read keys in it, and the balancer before them.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) keys: Keys,
    /// Whether the database is away for all.
    pub(crate) is_down: bool,
    processes: [Process; 2],
    /// The processes that answer the next eight requests, a bit for each, and so on.
    balancer: u8,
}

impl Cluster {
    /// Two processes, of which the clock of the second is ahead by so many milliseconds.
    pub(crate) fn new(balancer: u8, ahead: Time, now: Time) -> Self {
        let keys = Keys::new(now);
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
        numbers: impl Iterator<Item = u32>,
        now: Time,
    ) -> Result<(), Unknown> {
        let (at, has_database) = (self.at(), self.has_database());
        let stored = has_database.then_some(&self.keys);
        for number in numbers {
            self.processes[at].look_up(number, stored, now)?;
        }
        Ok(())
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

    /// A process publishes a new key of anonymous tokens. `false` if it cannot.
    pub(crate) fn rotate_key(&mut self, process: u8, now: Time) -> bool {
        let process = &mut self.processes[usize::from(process % 2)];
        if self.is_down || process.is_cut {
            return false;
        }
        let now = now + process.ahead;
        self.keys.add(now);
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
