//! Doors: how callers reach a volume. They wait, copy and translate; they decide nothing.
//!
//! [`Disk`] is the volume's own, blocking; [`CachedDisk`] that of a cache with its primaries, [`PolicyDisk`] the same behind a policy. The others speak the traits of other crates, each behind the feature of that name:
//!
//! | door | traits | feature |
//! |---|---|---|
//! | `NorFlashDisk` | `embedded_storage::nor_flash::{ReadNorFlash, NorFlash, MultiwriteNorFlash}` | `embedded-storage` |
//! | `StorageDisk` | `embedded_storage::{ReadStorage, Storage}` | `embedded-storage` |
//! | both | the same of `embedded_storage_async` | `embedded-storage-async` |
//! | `SdmmcDisk` | `embedded_sdmmc::BlockDevice` | `embedded-sdmmc` |
//! | `BlockDisk` | `block_device_driver::BlockDevice`, asynchronous | `block-device-driver` |
//!
//! What `littlefs2` asks for is in `tests/littlefs`, over `NorFlashDisk`: that crate needs a C compiler and libclang.
//!
//! These doors are put in front of a `SectorBuffer`. Through all of them a write is on the media when its call returns.

mod blocking;
mod by_policy;
mod cached;
mod turn;

#[cfg(feature = "block-device-driver")]
mod block_device;
#[cfg(feature = "_bytes")]
mod door_error;
#[cfg(feature = "embedded-storage")]
mod nor_flash;
#[cfg(feature = "embedded-sdmmc")]
mod sdmmc;
#[cfg(feature = "_bytes")]
// No door alone needs all of it.
#[cfg_attr(
    not(all(feature = "embedded-storage", feature = "block-device-driver")),
    allow(dead_code)
)]
mod sector_buffer;
#[cfg(feature = "embedded-storage")]
mod storage;

pub use blocking::Disk;
pub use by_policy::{PolicyDisk, ServeError};
pub use cached::CachedDisk;

#[cfg(feature = "block-device-driver")]
pub use block_device::BlockDisk;
#[cfg(feature = "_bytes")]
pub use door_error::{DoorError, DoorShapeError};
#[cfg(feature = "embedded-storage")]
pub use nor_flash::NorFlashDisk;
#[cfg(feature = "embedded-sdmmc")]
pub use sdmmc::SdmmcDisk;
#[cfg(feature = "_bytes")]
pub use sector_buffer::SectorBuffer;
#[cfg(feature = "embedded-storage")]
pub use storage::StorageDisk;
