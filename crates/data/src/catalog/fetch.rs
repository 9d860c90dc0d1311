//! Downloads: checked against the manifest before they get their name.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Dataset, DatasetFile};
use crate::{Error, Result};

/// Long enough for a slow line, short enough not to hang for ever.
const TIMEOUT: Duration = Duration::from_secs(300);

impl Dataset {
    /// Fetches the file of a split into `cache_dir`, unless it is there already.
    ///
    /// # Errors
    /// When the split has no verified download, the server cannot be reached, or what it sends is not the file of the manifest.
    pub fn download(&self, split: &str, cache_dir: &Path) -> Result<PathBuf> {
        let file = self.file(split)?;
        let path = cache_dir.join(&file.path);
        if path.is_file() && file.verify(&path).is_ok() {
            return Ok(path);
        }
        let Some(url) = &file.url else {
            let name = &self.name;
            return Err(Error::Table(format!("data set \"{name}\" has no verified download; make its {split} file from {}", self.origin)));
        };
        fetch(url, file, &path)?;
        Ok(path)
    }
}

fn fetch(url: &str, file: &DatasetFile, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let failed = |error: &dyn std::fmt::Display| Error::Table(format!("{url}: {}", error.to_string().replace('\n', " ")));
    let mut response = agent.get(url).call().map_err(|error| failed(&error))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|source| Error::io(folder, source))?;
    // One byte more than the manifest says is enough to know that it is another file.
    let mut body = response.body_mut().as_reader().take(file.bytes + 1);
    let received = std::io::copy(&mut body, &mut temporary).map_err(|error| failed(&error))?;
    if received != file.bytes {
        let more = if received > file.bytes { "more than " } else { "" };
        return Err(failed(&format!(
            "sent {more}{} bytes where the manifest says {}; the file there has changed",
            received.min(file.bytes),
            file.bytes
        )));
    }
    file.verify(temporary.path()).map_err(|error| failed(&error))?;
    temporary.persist(path).map_err(|failed| Error::io(path, failed.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `body`; gives the address to ask at.
    fn serve(body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/t.csv", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a request");
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        });
        url
    }

    #[test]
    fn only_the_file_of_the_manifest_gets_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        // printf 'a\n1\n' | sha256sum
        let sha256 = "0ea3d9c8d5e6e9d8b2b9d5a5ab6b3d3a".to_owned();
        let mut file = DatasetFile { split: "train".into(), path: "t.csv".into(), rows: 1, bytes: 4, sha256, url: None };
        let said = fetch(&serve("a\n1\n"), &file, &path).expect_err("another hash").to_string();
        assert!(said.contains("SHA-256") && !path.exists(), "{said}");
        file.sha256 = said.split("SHA-256 ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a hash").to_owned();
        let said = fetch(&serve("a\n1\n2\n"), &file, &path).expect_err("too long").to_string();
        assert!(said.contains("4 bytes") && !path.exists(), "{said}");
        fetch(&serve("a\n1\n"), &file, &path).expect("the same file");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    }
}
