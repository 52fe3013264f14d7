//! The events of a world as a list of steps, so that a failing one can be made shorter and read.

use passerby_protocol::{machine::Operation, request::AnonymousMode};

use crate::{
    check::check,
    jar::{Name, Path},
    places::anonymous_name,
    server::{Credentials, Route},
    world::{Setting, World},
};

/// One step. Numbers choose among what there is at that time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Something that waits to happen does.
    Happen(u8),
    /// All that waits to happen does, in order.
    Rest,
    Lose(u8),
    Request(u8, Route),
    Operate(u8, Operation),
    /// The app calls `init` again.
    Init(u8),
    Open,
    Close(u8),
    Freeze(u8),
    Thaw(u8),
    /// Somebody looks at a tab again.
    Show(u8),
    /// A request that the HTTP cache answers.
    Cached(u8),
    /// Milliseconds.
    Pass(u32),
    Revoke,
    /// A process publishes a new key of anonymous tokens.
    RotateKey(u8),
    /// A process makes a new key of anonymous tokens, and those of before are deleted.
    ReplaceKey(u8),
    /// The same with the key of access tokens.
    ReplaceAccessKey(u8),
    /// A process starts anew.
    Restart(u8),
    /// The database is away for one process.
    Cut(u8),
    Down,
    Up,
    /// The server makes no new anonymous sessions for a while, because there were too many.
    Limit,
    Unlimit,
    Drop(u8),
    /// The browser itself makes a request, for a page or for a frame in it.
    Form(u8, Route),
    Reload(u8),
    /// The device's clock jumps.
    Clock(u8),
    /// The visitor is away for so many days.
    Away(u16),
    /// A new release of the app has another domain for its cookies.
    Release,
    /// Another host of the site plants an anonymous session.
    Plant,
    /// The same of a user session.
    PlantUser(u8),
    /// It deletes cookies of the SDK's.
    Delete(u8),
    /// It writes cookies of their names.
    Write(u8),
    /// A script of the website deletes or overwrites cookies of the server's.
    Script(u8),
    /// Somebody copies the tokens.
    Steal,
    /// The thief makes a request.
    UseLoot(Route),
}

/// A world and what happens in it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) setting: Setting,
    pub(crate) steps: Vec<Step>,
}

impl History {
    /// The history that this seed makes.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let is_ours = random.u8(..4) > 0;
        let has_endpoint = !is_ours && random.u8(..2) == 0;
        let mut setting = Setting {
            is_ours,
            has_endpoint,
            mode: if has_endpoint {
                AnonymousMode::Endpoint
            } else if (is_ours || random.u8(..2) == 0) && random.u8(..4) > 0 {
                [AnonymousMode::On, AnonymousMode::Off][usize::from(random.u8(..8) == 0)]
            } else {
                AnonymousMode::Unspecified
            },
            has_locks: random.u8(..4) > 0,
            has_channel: random.u8(..4) > 0,
            in_headers: random.u8(..4) == 0,
            rotates: random.u8(..8) == 0,
            skew: [0.0, 0.0, 0.0, 3_600_000.0, -86_400_000.0][random.usize(..5)],
            stores_slowly: random.u8(..8) == 0,
            is_curious: random.u8(..8) == 0,
            keeps_nothing: random.u8(..16) == 0,
            is_too_large: random.u8(..32) == 0,
            shares_host: random.u8(..2) == 0,
            forgets_soon: random.u8(..3) == 0,
            knows_others: random.u8(..4) > 0,
            shows_late: random.u8(..4) == 0,
            balancer: [0, 0b1010_1010, random.u8(..)][random.usize(..3)],
            ahead: [0.0, 0.0, 3_000.0, -3_000.0, 9_000.0, -9_000.0][random.usize(..6)],
            for_site: random.u8(..4) == 0,
            scripts_for_site: random.u8(..4) == 0,
        };
        let kind = Kind {
            is_calm: random.u8(..4) > 0,
            has_thief: random.u8(..8) == 0,
            has_forms: random.u8(..8) == 0,
            reloads: random.u8(..4) == 0,
            jumps: random.u8(..8) == 0,
            is_long: random.u8(..8) == 0,
            has_others: random.u8(..8) == 0,
            has_processes: random.u8(..4) == 0,
            has_sibling: random.u8(..8) == 0,
        };
        // Where they are off, nothing is written down that could tell what no script has seen.
        if setting.mode == AnonymousMode::Off && !kind.is_plain() {
            setting.mode = AnonymousMode::On;
        }
        let length = random.usize(4..60);
        // Where most of what begins comes to its end, a history goes far.
        let is_patient = random.u8(..4) == 0;
        let steps = (0..length).map(|_| match kind.step(&mut random) {
            Step::Happen(number) if is_patient && number % 2 == 0 => Step::Rest,
            step => step,
        });
        let steps = steps.collect();
        Self { setting, steps }
    }

    /// Takes all steps in a new world, which holds the fault afterwards, if there is one.
    pub(crate) fn run(&self, traces: bool) -> World {
        let mut world = World::new(self.setting, traces);
        for step in &self.steps {
            take(&mut world, *step);
            if world.fault.is_some() {
                return world;
            }
        }
        if world.server.cluster.is_impaired() {
            world.say(|| "the database stays away until nothing more happens".into());
            world.settle_down();
            world.server.cluster.restore();
        }
        world.server.is_limited = false;
        world.say(|| "from here on, nothing new happens".into());
        world.settle_down();
        check(&mut world);
        world
    }

    /// A shorter history that fails in the same way.
    pub(crate) fn shortened(&self) -> Self {
        let kind = |history: &Self| {
            history.run(false).fault.map(|fault| fault.chars().take(2).collect::<String>())
        };
        let wanted = kind(self);
        let mut best = self.clone();
        let mut size = best.steps.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            while start < best.steps.len() {
                let mut shorter = best.clone();
                shorter.steps.drain(start..(start + size).min(best.steps.len()));
                if kind(&shorter) == wanted {
                    best = shorter;
                } else {
                    start += size;
                }
            }
            if size == 1 {
                return best;
            }
            size /= 2;
        }
    }
}

/// The kind of a history: what may come about in it.
struct Kind {
    /// Most histories are, so that the strictest checks apply to them.
    is_calm: bool,
    has_thief: bool,
    has_forms: bool,
    reloads: bool,
    /// The device's clock jumps now and then.
    jumps: bool,
    /// The visitor is away for days or months.
    is_long: bool,
    /// There are second cookies of one name.
    has_others: bool,
    /// Processes of the back end come and go, and keys change.
    has_processes: bool,
    /// Another host of the site plants sessions of users.
    has_sibling: bool,
}

impl Kind {
    /// Whether all that happens is the SDK's and the server's doing, within a day.
    fn is_plain(&self) -> bool {
        let Self { has_thief, has_forms, jumps, is_long, has_others, has_sibling, .. } = *self;
        !(has_thief || has_forms || jumps || is_long || has_others || has_sibling)
    }

    fn step(&self, random: &mut fastrand::Rng) -> Step {
        if self.has_thief && random.u8(..8) == 0 {
            return [
                Step::Steal,
                Step::UseLoot(Route::Refresh),
                Step::UseLoot(Route::Refresh),
                Step::UseLoot(Route::Users),
            ][random.usize(..4)];
        }
        if self.has_forms && random.u8(..10) == 0 {
            let routes = [Route::Login(1), Route::Login(2), Route::Leave];
            return Step::Form(random.u8(..), routes[random.usize(..3)]);
        }
        if self.jumps && random.u8(..12) == 0 {
            return Step::Clock(random.u8(..));
        }
        if self.is_long && random.u8(..12) == 0 {
            return Step::Away([8, 60, 200, 450][random.usize(..4)]);
        }
        if self.has_others && random.u8(..12) == 0 {
            return [Step::Release, Step::Plant][random.usize(..2)];
        }
        if self.has_processes && random.u8(..8) == 0 {
            let any = random.u8(..);
            let steps = [
                Step::RotateKey(any),
                Step::RotateKey(any),
                Step::ReplaceKey(any),
                Step::ReplaceAccessKey(any),
                Step::Restart(any),
                Step::Pass(31_000),
                Step::Pass(61_000),
                Step::Cut(any),
                Step::Cut(any),
                Step::Up,
            ];
            return steps[random.usize(..if self.is_calm { 7 } else { steps.len() })];
        }
        if self.has_sibling && random.u8(..12) == 0 {
            let number = random.u8(..);
            let (plant, delete) = (Step::PlantUser(number), Step::Delete(number));
            let (write, script) = (Step::Write(number), Step::Script(number));
            return [plant, plant, delete, write, script][random.usize(..5)];
        }
        if self.reloads && random.u8(..16) == 0 {
            return Step::Reload(random.u8(..));
        }
        common_step(random, self.is_calm)
    }
}

fn common_step(random: &mut fastrand::Rng, is_calm: bool) -> Step {
    let any = random.u8(..);
    match random.u8(..100) {
        0..48 => Step::Happen(any),
        48 => [Step::Cached(any), Step::Show(any)][random.usize(..2)],
        49 => Step::Init(any),
        50..64 => {
            let routes = [
                Route::Public,
                Route::Users,
                Route::Public,
                Route::Users,
                Route::Public,
                Route::Leave,
            ];
            Step::Request(any, routes[random.usize(..6)])
        }
        64..70 => Step::Request(any, Route::Login(random.u32(1..3))),
        70..73 => Step::Operate(any, Operation::SignOut),
        73..75 => Step::Operate(any, Operation::Exists),
        75..77 => Step::Operate(any, Operation::Refresh),
        77 => Step::Operate(any, Operation::Forget),
        78..81 => Step::Open,
        81..86 => Step::Pass([50, 1_000, 6_000, 9_000, 13_000, 40_000][random.usize(..6)]),
        86..90 => Step::Pass(3_700_000),
        _ if is_calm => Step::Happen(any),
        90..93 => Step::Lose(any),
        93 => Step::Close(any),
        94 => Step::Freeze(any),
        95 => [Step::Thaw(any), Step::Show(any)][random.usize(..2)],
        96 => Step::Revoke,
        97 => [Step::Down, Step::Up, Step::Cut(any), Step::Up, Step::Limit, Step::Unlimit]
            [random.usize(..6)],
        98 => Step::Drop(any),
        _ => [
            Step::ReplaceKey(any),
            Step::Operate(any, Operation::SwitchOff),
            Step::Operate(any, Operation::SwitchOn),
        ][random.usize(..3)],
    }
}

fn pick(from: &[usize], number: u8) -> Option<usize> {
    (!from.is_empty()).then(|| from[usize::from(number) % from.len()])
}

fn take(world: &mut World, step: Step) {
    let tabs = &world.browser.tabs;
    let open: Vec<usize> = (0..tabs.len()).filter(|tab| tabs[*tab].is_open).collect();
    let awake: Vec<usize> = open.iter().copied().filter(|tab| !tabs[*tab].is_frozen).collect();
    match step {
        Step::Happen(number) => {
            if let Some(index) = pick(&world.choices(), number) {
                world.happen(index);
            }
        }
        Step::Rest => world.rest(),
        Step::Lose(number) => {
            if let Some(index) = pick(&world.choices(), number) {
                world.lose(index);
            }
        }
        Step::Request(number, route) => {
            if let Some(tab) = pick(&awake, number) {
                world.request(tab, route);
            }
        }
        Step::Operate(number, operation) => {
            if let Some(tab) = pick(&awake, number) {
                if matches!(
                    operation,
                    Operation::Forget | Operation::SwitchOff | Operation::SwitchOn
                ) {
                    world.may_change_id = true;
                }
                if matches!(operation, Operation::SwitchOff | Operation::SwitchOn) {
                    world.is_meddled = true;
                    world.has_switched = true;
                    // Each tab has its own consent, so the app tells all of them, and those that
                    // will open.
                    world.setting.mode = match operation {
                        Operation::SwitchOn if world.setting.has_endpoint => {
                            AnonymousMode::Endpoint
                        }
                        Operation::SwitchOn => AnonymousMode::On,
                        _ => AnonymousMode::Off,
                    };
                    for tab in open {
                        world.operate(tab, operation);
                    }
                } else {
                    world.operate(tab, operation);
                }
            }
        }
        Step::Init(number) => {
            if let Some(tab) = pick(&awake, number) {
                world.start_again(tab);
            }
        }
        Step::Open if open.len() < 3 => world.open_tab(),
        Step::Open => {}
        Step::Close(number) if open.len() > 1 => {
            if let Some(tab) = pick(&open, number) {
                world.close_tab(tab);
            }
        }
        Step::Close(_) => {}
        Step::Freeze(number) => {
            if let Some(tab) = pick(&open, number) {
                world.browser.tabs[tab].is_frozen = true;
                world.say(|| format!("tab {tab} freezes"));
            }
        }
        Step::Thaw(number) => {
            if let Some(tab) = pick(&open, number) {
                world.browser.tabs[tab].is_frozen = false;
                world.say(|| format!("tab {tab} thaws"));
            }
        }
        Step::Show(number) => {
            if let Some(tab) = pick(&open, number) {
                world.show(tab);
            }
        }
        Step::Cached(number) => {
            if let Some(tab) = pick(&awake, number) {
                world.request(tab, Route::Public);
                world.answer_from_cache();
            }
        }
        Step::Form(number, route) => {
            if let Some(tab) = pick(&awake, number) {
                world.navigate((number & 1 == 0).then_some(tab), route);
            }
        }
        Step::Reload(number) => {
            if let Some(tab) = pick(&awake, number) {
                world.reload(tab);
            }
        }
        Step::Clock(number) => world.jump(number),
        Step::Away(days) => world.stay_away(days),
        Step::Release => world.release(),
        Step::Plant => world.plant(),
        Step::PlantUser(number) => world.plant_user(number),
        Step::Delete(number) => world.delete_script_cookies(number),
        Step::Write(number) => world.write_script_cookies(number),
        Step::Script(number) => world.overwrite_by_script(number),
        Step::Steal => world.steal(),
        Step::UseLoot(route) => world.use_loot(route),
        Step::Pass(time) => world.pass(f64::from(time)),
        Step::Revoke => {
            world.say(|| "an administrator ends all sessions".into());
            world.has_hidden_end = true;
            world.server.revoke_all();
        }
        Step::RotateKey(process) => world.rotate_key(process),
        Step::ReplaceKey(process) => world.replace_key(process),
        Step::ReplaceAccessKey(process) => world.replace_access_key(process),
        Step::Restart(process) => world.restart(process),
        Step::Cut(process) => world.cut(process),
        Step::Down => {
            world.is_meddled = true;
            world.server.cluster.is_down = true;
        }
        Step::Up => world.server.cluster.restore(),
        Step::Limit => {
            world.has_limited = true;
            // A visitor who was refused a session, and whose app says nothing of anonymous ones,
            // does not wait for one: each of their next requests may bring another.
            world.may_change_id |= world.setting.mode == AnonymousMode::Unspecified;
            world.server.is_limited = true;
        }
        Step::Unlimit => world.server.is_limited = false,
        Step::Drop(number) => {
            world.is_meddled = true;
            world.may_change_id = true;
            world.say(|| format!("the visitor deletes cookie {}", number % 6));
            // That takes longer than all marks of a moment, so no later one is the one that goes.
            world.now += 100.0;
            world.expect_nothing_told();
            match number % 6 {
                0 => {
                    world.drop_cookie(Name::Access);
                    // A stock back end answers as to anybody. Ours makes an anonymous session,
                    // which shows it, unless the answer that tells of it is one to a request of
                    // before the login, or such a one has left its own beside the user session.
                    let Setting { is_ours, mode, .. } = world.setting;
                    // Or the one of a former release is left, and is of an earlier session.
                    let left = Credentials::of(&world.browser.jar, Path::Api).access;
                    world.has_lost_front |= !is_ours || mode == AnonymousMode::Off;
                    world.has_unread_cookies |= !world.pending.is_empty()
                        || world.has_anonymous_cookie()
                        || !left.is_empty();
                }
                1 => world.drop_cookie(Name::Refresh),
                2 => world.drop_cookie(anonymous_name(world.server.for_site)),
                3 => world.drop_script_cookie(Name::Front),
                4 => world.drop_script_cookie(Name::AnonymousFront),
                _ => world.drop_script_cookie(Name::Mark),
            }
        }
    }
}
