//! Function libraries as files and payloads of FUNCTION DUMP have them: a byte that says so, and
//! the text of the library.

use super::opcode::{FUNCTION, FUNCTION_PRE_GA};
use super::{ReadLimits, WriteOptions, string};

/// Why bytes are no libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The form of a release candidate.
    PreGa,
    /// Something else begins here.
    OtherType,
    /// A text is damaged.
    Text,
}

/// Appends a library.
pub fn write(out: &mut Vec<u8>, text: &[u8], options: WriteOptions) {
    out.push(FUNCTION);
    string::write(out, text, options);
}

/// The texts of all libraries.
pub fn read_all(mut encoded: &[u8], limits: ReadLimits) -> Result<Vec<Vec<u8>>, Invalid> {
    let mut texts = Vec::new();
    while let Some((&kind, rest)) = encoded.split_first() {
        encoded = rest;
        match kind {
            FUNCTION => {}
            FUNCTION_PRE_GA => return Err(Invalid::PreGa),
            _ => return Err(Invalid::OtherType),
        }
        let mut text = Vec::new();
        let read = string::read(&mut encoded, limits).map_err(|_| Invalid::Text)?;
        read.write_over(&mut text);
        texts.push(text);
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let texts = [b"#!lua name=a\n".repeat(20), b"12".to_vec()];
        let mut encoded = Vec::new();
        texts.iter().for_each(|text| write(&mut encoded, text, WriteOptions { compress: true }));
        assert!(encoded.len() < 100);
        assert_eq!(read_all(&encoded, ReadLimits::DEFAULT), Ok(texts.to_vec()));
        for (bytes, why) in [
            (&[246u8][..], Invalid::PreGa),
            (&[0, 1], Invalid::OtherType),
            (&[245], Invalid::Text),
            (&[245, 5, 1], Invalid::Text),
        ] {
            assert_eq!(read_all(bytes, ReadLimits::DEFAULT), Err(why), "{bytes:?}");
        }
    }
}
