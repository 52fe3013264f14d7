//! Rebuilds when a migration is added: `sqlx::migrate!` cannot tell cargo about new files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
