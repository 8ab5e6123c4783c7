//! The store, on a simulated disk and on a real one.

mod arbitrary;
mod commit;
mod compaction;
mod crash;
mod crash_points;
mod damage;
mod directory;
mod faults;
mod forge;
mod model;
