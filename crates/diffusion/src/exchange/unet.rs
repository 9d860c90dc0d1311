//! `UNet2DModel`.

use semblant_core::{Error, Result};

use super::{Folder, Pipeline};

/// The place where the network will be read.
pub(super) fn read(folder: &Folder) -> Result<Pipeline> {
    Err(Error::checkpoint(folder.config_path(), "UNet2DModel cannot be read by this version; choose a DiT"))
}
