//! Encodings, checksums and AES. What needs a secret of its own, or chance, is
//! refused by name: the same template on the same data gives the same message.

use aws_lc_rs::cipher::{
    AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, Algorithm};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use data_encoding::{BASE32, HEXLOWER, Specification};

use super::super::budget::Fault;
use super::super::function::{Args, Function, Run, text};
use super::super::value::Value;
use crate::functions;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "adler32sum": (String) =>
        |run, args| text(run, adler2::adler32_slice(args.bytes(0)).to_string());
    "b32dec": (String) => b32dec;
    "b32enc": (String) => |run, args| text(run, BASE32.encode(args.bytes(0)));
    "b64dec": (String) => b64dec;
    "b64enc": (String) => |run, args| text(run, BASE64.encode(args.bytes(0)));
    "decryptAES": (String, String) => decrypt;
    "encryptAES": (String, String) => encrypt;
    "sha1sum": (String) => |run, args| sum(run, args, &digest::SHA1_FOR_LEGACY_USE_ONLY);
    "sha256sum": (String) => |run, args| sum(run, args, &digest::SHA256);
    "sha512sum": (String) => |run, args| sum(run, args, &digest::SHA512);
    "bcrypt" | "htpasswd" | "randInt" | "shuffle": (...Any) => |run, _| refusal(run, CHANCE);
    "buildCustomCert" | "derivePassword" | "genCA" | "genCAWithKey" | "genPrivateKey"
        | "genSelfSignedCert" | "genSelfSignedCertWithKey" | "genSignedCert"
        | "genSignedCertWithKey": (...Any) => |run, _| refusal(run, KEYS);
};

const CHANCE: &str = "its result is random, and a message must be the same every time";
const KEYS: &str = "keys and certificates have no place in a message";

/// What a function says that is none here.
fn refusal(run: &Run<'_>, why: &str) -> Result<Value, Fault> {
    let name = run.name;
    Err(format!("`{name}` is not supported: {why}").into())
}

/// Go does not look at the bits that are left over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Go passes over line breaks.
fn without_breaks(bytes: &[u8]) -> Vec<u8> {
    let kept = bytes.iter().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    kept.copied().collect()
}

/// What is wrong is the result, in sprig.
fn b64dec(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let encoded = args.bytes(0);
    match BASE64.decode(without_breaks(encoded)) {
        Ok(plain) => text(run, plain),
        Err(_) => {
            let at = illegal_base64(encoded);
            text(run, format!("illegal base64 data at input byte {at}"))
        }
    }
}

/// The byte that Go points at in what is not base64.
fn illegal_base64(encoded: &[u8]) -> usize {
    let mut in_group = 0;
    let solid = |at: usize| !matches!(encoded[at], b'\r' | b'\n');
    let mut places = (0..encoded.len()).filter(|at| solid(*at));
    while let Some(at) = places.next() {
        match encoded[at] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => in_group = (in_group + 1) % 4,
            b'=' if in_group == 2 => match places.next() {
                None => return encoded.len(),
                Some(next) if encoded[next] != b'=' => return next - 1,
                Some(_) => return places.next().unwrap_or(encoded.len()),
            },
            b'=' if in_group == 3 => return places.next().unwrap_or(encoded.len()),
            _ => return at,
        }
    }
    encoded.len() - in_group
}

fn b32dec(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let mut like_go = Specification::new();
    like_go.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    like_go.padding = Some('=');
    like_go.check_trailing_bits = false;
    let encoding = like_go.encoding().map_err(|error| error.to_string())?;
    let encoded = without_breaks(args.bytes(0));
    match encoding.decode(&encoded) {
        Ok(plain) => text(run, plain),
        Err(_) => {
            let at = illegal_base32(&encoded);
            text(run, format!("illegal base32 data at input byte {at}"))
        }
    }
}

/// The byte that Go points at in what is not base32.
fn illegal_base32(encoded: &[u8]) -> usize {
    for (at, byte) in encoded.iter().enumerate() {
        let (in_group, left) = (at % 8, encoded.len() - at - 1);
        match byte {
            b'=' if in_group >= 2 && left < 8 => {
                if left + in_group < 7 {
                    return encoded.len();
                }
                let padding = &encoded[at + 1..(at + 8 - in_group).min(encoded.len())];
                let other = padding.iter().position(|byte| *byte != b'=');
                return other.map_or(at, |other| at + other);
            }
            b'A'..=b'Z' | b'2'..=b'7' => {}
            _ => return at,
        }
    }
    encoded.len() - encoded.len() % 8
}

fn sum(run: &mut Run<'_>, args: &Args<'_>, algorithm: &'static Algorithm) -> Result<Value, Fault> {
    let hash = digest::digest(algorithm, args.bytes(0));
    text(run, HEXLOWER.encode(hash.as_ref()))
}

/// The key that sprig makes of a password: its bytes, cut or filled with zeros.
fn key(password: &[u8]) -> Result<UnboundCipherKey, Fault> {
    let mut key = [0; 32];
    for (slot, byte) in key.iter_mut().zip(password) {
        *slot = *byte;
    }
    UnboundCipherKey::new(&AES_256, &key).map_err(|error| error.to_string().into())
}

/// AES-256-CBC as sprig writes it. sprig begins with 16 bytes of chance; here
/// they are a hash of key and text, so that the result is the same every time.
fn encrypt(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let (password, plain) = (args.bytes(0), args.bytes(1));
    if plain.is_empty() {
        return text(run, "");
    }
    let failed = |_| Fault::Error("cannot encrypt".to_owned());
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(password);
    hash.update(&[0]);
    hash.update(plain);
    let mut start = [0; 16];
    start.copy_from_slice(&hash.finish().as_ref()[..16]);
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(key(password)?).map_err(failed)?;
    let context = EncryptionContext::Iv128(FixedLength::from(start));
    let mut bytes = plain.to_vec();
    cipher
        .less_safe_encrypt(&mut bytes, context)
        .map_err(failed)?;
    text(run, BASE64.encode([&start[..], &bytes].concat()))
}

fn decrypt(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    if args.bytes(1).is_empty() {
        return text(run, "");
    }
    let failed = |_| {
        Fault::Error("cannot decrypt: the text was not encrypted with this password".to_owned())
    };
    let bytes = BASE64.decode(without_breaks(args.bytes(1)));
    let mut bytes = bytes.map_err(|error| error.to_string())?;
    let Some((start, _)) = bytes.split_first_chunk::<16>() else {
        return Err("runtime error: slice bounds out of range".into());
    };
    let context = DecryptionContext::Iv128(FixedLength::from(*start));
    let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(key(args.bytes(0))?).map_err(failed)?;
    let plain = cipher.decrypt(&mut bytes[16..], context).map_err(failed)?;
    text(run, plain)
}
