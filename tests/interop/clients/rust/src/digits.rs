//! Digits of MNIST's test set as images of the API.

use std::{fs::File, io::Read, path::Path};

use crate::pb::{Image, image::Pixels};

const IMAGE_SIDE: usize = 32; // what the network reads
const DIGIT_SIDE: usize = 28; // what MNIST has

pub struct Digit {
    pub image: Image,
    pub label: i32,
}

/// Reads the first `count` digits.
pub fn read(folder: &Path, count: usize) -> std::io::Result<Vec<Digit>> {
    let pixels = read_gzip(&folder.join("t10k-images-idx3-ubyte.gz"))?;
    let labels = read_gzip(&folder.join("t10k-labels-idx1-ubyte.gz"))?;
    let digits = pixels[16..]
        .chunks_exact(DIGIT_SIDE * DIGIT_SIDE)
        .zip(&labels[8..]);
    Ok(digits
        .take(count)
        .map(|(grey, &label)| Digit {
            image: Image {
                pixels: Some(Pixels::Gray8(pad(grey))),
            },
            label: label.into(),
        })
        .collect())
}

/// Puts a black border around 28x28 grey levels, which makes 32x32 of them.
fn pad(grey: &[u8]) -> Vec<u8> {
    let border = (IMAGE_SIDE - DIGIT_SIDE) / 2;
    let mut padded = vec![0; IMAGE_SIDE * IMAGE_SIDE];
    for (row, levels) in grey.chunks_exact(DIGIT_SIDE).enumerate() {
        let start = (row + border) * IMAGE_SIDE + border;
        padded[start..start + DIGIT_SIDE].copy_from_slice(levels);
    }
    padded
}

fn read_gzip(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(path)?).read_to_end(&mut bytes)?;
    Ok(bytes)
}
