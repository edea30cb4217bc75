//! What can be wrong with an image file, told to people.

use super::header::{HeaderError, HEADER_BYTES, VERSION};
use crate::chips::UnknownChip;
use cuesta_hal::Geometry;
use std::io;
use std::path::{Path, PathBuf};

/// Why an image file could not be made or opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImageError {
    /// There is no such file.
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// A new image would take the place of a file.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the image open.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is no image.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is shorter than its image.
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// The length of an image of its geometry, or of the header if even that is not all there.
        expected: u64,
    },
    /// The image was made by a newer version of this program.
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Version of its format.
        found: u32,
        /// Newest version known here.
        known: u32,
    },
    /// The header's CRC is wrong, or an entry makes no sense.
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The image is of another chip than asked.
    OtherChip {
        /// The file.
        path: PathBuf,
        /// Its chip.
        found: String,
        /// The chip asked for.
        asked: String,
    },
    /// The image is of the chip asked for, but in another shape.
    OtherGeometry {
        /// The file.
        path: PathBuf,
        /// Its geometry.
        found: Box<Geometry>,
        /// The geometry asked for.
        asked: Box<Geometry>,
    },
    /// The image is of a chip that the table does not have.
    UnknownChip {
        /// The file.
        path: PathBuf,
        /// Its chip and those of the table.
        unknown: UnknownChip,
    },
    /// The file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

fn shape(geometry: &Geometry) -> String {
    format!(
        "{} x {} blocks x {} pages x {} + {} B",
        geometry.dies,
        geometry.blocks_per_die,
        geometry.pages_per_block,
        geometry.page_bytes,
        geometry.spare_bytes
    )
}

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound { path } => write!(
                f,
                "{}: there is no such file; make an image first, or check the name",
                path.display()
            ),
            Self::Exists { path } => write!(
                f,
                "{}: the file is there already; choose another name, or ask for it to be replaced",
                path.display()
            ),
            Self::Locked { path } => write!(
                f,
                "{}: another process has the image open; end that one first",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{}: this is not a Cuesta NAND image; it was left untouched",
                path.display()
            ),
            Self::Truncated {
                path,
                found,
                expected,
            } => write!(
                f,
                "{}: the image is cut short: {found} bytes of {expected}; restore it from a copy",
                path.display()
            ),
            Self::NewerVersion { path, found, known } => write!(
                f,
                "{}: the image has format version {found}, this program knows up to {known}; use a newer one",
                path.display()
            ),
            Self::Damaged { path } => write!(
                f,
                "{}: the image's own records are damaged; restore it from a copy",
                path.display()
            ),
            Self::OtherChip { path, found, asked } => write!(
                f,
                "{}: the image is of chip {found}, not {asked}; leave the chip out or ask for {found}",
                path.display()
            ),
            Self::OtherGeometry { path, found, asked } => {
                write!(f, "{}: the image has {}", path.display(), shape(found))?;
                if shape(found) == shape(asked) {
                    f.write_str(" as asked, but other properties")
                } else {
                    write!(f, ", not {}", shape(asked))
                }
            }
            Self::UnknownChip { path, unknown } => write!(f, "{}: {unknown}", path.display()),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ImageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::UnknownChip { unknown, .. } => Some(unknown),
            _ => None,
        }
    }
}

/// The file that an error is about.
pub(super) struct Context<'a>(pub(super) &'a Path);

impl Context<'_> {
    pub(super) fn path(&self) -> PathBuf {
        self.0.to_owned()
    }

    pub(super) fn io(&self, error: io::Error) -> ImageError {
        ImageError::Io {
            path: self.path(),
            error,
        }
    }

    pub(super) fn header(&self, wrong: HeaderError, found: u64) -> ImageError {
        let path = self.path();
        match wrong {
            HeaderError::Foreign => ImageError::Foreign { path },
            HeaderError::Short => ImageError::Truncated {
                path,
                found,
                expected: HEADER_BYTES as u64,
            },
            HeaderError::Newer(found) => ImageError::NewerVersion {
                path,
                found,
                known: VERSION,
            },
            HeaderError::Damaged => ImageError::Damaged { path },
        }
    }
}
