//! One test for each model and property, so that `cargo test ctgan` runs all that concerns CTGAN.
//!
//! [`for_every!`] makes a module for each property, a function of a model's name, with a test for each model of a group.

/// Passes the models of a group to a macro, after its own arguments. A new model of the registry goes into every group that it belongs to;
/// its `-` is `_` here.
macro_rules! group {
    (tables $then:ident $with:tt) => {
        $then! { $with masked_diffusion ctgan tvae copula independent }
    };
    // Tables of declared logic, which learn from no other table.
    (specs $then:ident $with:tt) => {
        $then! { $with rules }
    };
    (trained_tables $then:ident $with:tt) => {
        $then! { $with masked_diffusion ctgan tvae }
    };
    (databases $then:ident $with:tt) => {
        $then! { $with relational }
    };
    (series $then:ident $with:tt) => {
        $then! { $with sequence series_flow series_vq dgan timevae block_bootstrap ar_gaussian }
    };
    // Models of sequences of equal length whose columns are numbers.
    (windows $then:ident $with:tt) => {
        $then! { $with series_flow series_vq dgan timevae block_bootstrap ar_gaussian }
    };
    // The same that learn sequences of equal lengths only.
    (equal_lengths $then:ident $with:tt) => {
        $then! { $with series_flow series_vq timevae block_bootstrap ar_gaussian }
    };
    // The same that are told the attributes of sequences.
    (told $then:ident $with:tt) => {
        $then! { $with series_flow series_vq dgan timevae }
    };
    (texts $then:ident $with:tt) => {
        $then! { $with text_ar text_mdlm }
    };
    (images $then:ident $with:tt) => {
        $then! { $with flow edm ddpm consistency r3gan dcgan wgan_gp vae vq_vae autoencoder_kl latent_dit }
    };
    (denoisers $then:ident $with:tt) => {
        $then! { $with flow edm ddpm consistency }
    };
    (gans $then:ident $with:tt) => {
        $then! { $with r3gan dcgan wgan_gp }
    };
    (not_gans $then:ident $with:tt) => {
        $then! { $with flow edm ddpm consistency vae vq_vae autoencoder_kl latent_dit }
    };
    // Denoisers whose settings choose the network.
    (with_networks $then:ident $with:tt) => {
        $then! { $with flow edm ddpm }
    };
    // Models that learn the classes of their images.
    (with_classes $then:ident $with:tt) => {
        $then! { $with flow edm ddpm consistency r3gan dcgan wgan_gp vae vq_vae latent_dit }
    };
    // Models that train in f32 only.
    (without_bf16 $then:ident $with:tt) => {
        $then! { $with consistency r3gan dcgan wgan_gp vae vq_vae autoencoder_kl latent_dit }
    };
    // On a GPU, one model of each family by default, because a software adapter takes minutes to compile the kernels of each.
    (tables_on_gpu $then:ident $with:tt) => {
        $then! { $with #[ignore] masked_diffusion ctgan #[ignore] tvae }
    };
    (images_on_gpu $then:ident $with:tt) => {
        $then! {
            $with flow #[ignore] edm #[ignore] ddpm #[ignore] consistency #[ignore] r3gan dcgan #[ignore] wgan_gp vae #[ignore] vq_vae
            #[ignore] autoencoder_kl #[ignore] latent_dit
        }
    };
    // The same, but for the one whose classes are those of the model that it begins with.
    (with_own_classes $then:ident $with:tt) => {
        $then! { $with flow edm ddpm r3gan dcgan wgan_gp vae vq_vae latent_dit }
    };
    // Models of images of any size; others halve the sides, or have the size of a model that they begin with.
    (of_any_size $then:ident $with:tt) => {
        $then! { $with flow edm ddpm vae }
    };
    // Models whose step is a sum over images, which several devices can share; and the others.
    (on_several_devices $then:ident $with:tt) => {
        $then! { $with flow edm ddpm consistency vae autoencoder_kl latent_dit }
    };
    (on_one_device $then:ident $with:tt) => {
        $then! { $with r3gan dcgan wgan_gp vq_vae }
    };
}

/// `for_every!(tables: a, b)` tests the properties `fn a(name: &str)` and `b` for every model of the group `tables`.
macro_rules! for_every {
    ($group:ident: $($property:ident),+ $(,)?) => { $(group! { $group tests (property $property) })+ };
}

/// The tests of a property, or the names of models, for a group.
macro_rules! tests {
    ((property $property:ident) $($(#[$attribute:meta])* $model:ident)+) => {
        mod $property {
            $(#[test] $(#[$attribute])* fn $model() { super::$property(&stringify!($model).replace('_', "-")); })+
        }
    };
    ((names) $($(#[$attribute:meta])* $model:ident)+) => { vec![$(stringify!($model).replace('_', "-")),+] };
}
