//! From the socket's making to its removal.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::client::*;
use super::disk::{Disk, Fault};
use crate::nbd::{BindError, Listen, RunError, Server, ShapeError};

#[test]
fn a_stop_gives_the_disk_back_closes_idle_clients_and_removes_the_socket() {
    let disk = Disk::new(100);
    let mut bench = Bench::new(&disk);
    let mut negotiating = bench.negotiating();
    let mut idle = bench.ready();
    let mut half = bench.ready();
    assert_eq!(half.write(0, 0, &[1; 512]), 0);
    half.send(&[0x25, 0x60]);
    let begin = Instant::now();
    let back = bench.stop().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(back.mapped(), [0]);
    assert!(!bench.socket.exists());
    for client in [&mut negotiating, &mut idle, &mut half] {
        client.assert_closed();
    }
    assert_eq!(bench.counters.served().connections_open, 0);
}

#[test]
fn a_stop_lets_the_request_in_progress_finish_and_refuses_those_behind_it() {
    let disk = Disk::new(100);
    disk.fail_at(3, Fault::Delay(Duration::from_millis(300)));
    let mut bench = Bench::new(&disk);
    let mut client = bench.ready();
    let write = client.request(WRITE, 0, 3 * 2048, 2048);
    client.send(&[8; 2048]);
    let read = client.request(READ, 0, 0, 512);
    std::thread::sleep(Duration::from_millis(100));
    bench.stop().unwrap();
    assert_eq!(client.simple_reply(write), 0);
    assert_eq!(client.simple_reply(read), ESHUTDOWN);
    client.assert_closed();
    assert_eq!(disk.mapped(), [3]);
}

#[test]
fn a_stop_does_not_wait_for_a_client_that_never_fetches_its_answers() {
    let disk = Disk::new(1 << 14);
    let mut bench = Bench::new(&disk);
    let mut client = bench.ready();
    client.request(READ, 0, 0, 32 << 20);
    std::thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    bench.stop().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_socket_somebody_listens_at_is_refused() {
    let bench = Bench::new(&Disk::new(100));
    let error = Server::bind(&Listen::Unix(bench.socket.clone()), "").unwrap_err();
    assert!(matches!(error, BindError::InUse(_)), "{error}");
    bench.ready();
}

#[test]
fn a_socket_nobody_listens_at_is_replaced() {
    let folder = Folder::new();
    let path = folder.0.join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind(&Listen::Unix(path.clone()), "").unwrap();
    assert!(path.exists());
    drop(server);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let folder = Folder::new();
    let path = folder.0.join("precious");
    std::fs::write(&path, "data").unwrap();
    let link = folder.0.join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for at in [&path, &link, &folder.0] {
        let error = Server::bind(&Listen::Unix(at.clone()), "").unwrap_err();
        assert!(matches!(error, BindError::NotASocket(_)), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
    assert!(link.is_symlink());
}

#[test]
fn a_file_put_in_the_place_of_the_socket_stays() {
    let mut bench = Bench::new(&Disk::new(100));
    std::fs::remove_file(&bench.socket).unwrap();
    std::fs::write(&bench.socket, "data").unwrap();
    bench.stop().unwrap();
    assert_eq!(std::fs::read_to_string(&bench.socket).unwrap(), "data");
}

#[test]
fn a_path_without_a_folder_is_an_error_that_names_it() {
    let folder = Folder::new();
    let path = folder.0.join("missing").join("s");
    let error = Server::bind(&Listen::Unix(path.clone()), "").unwrap_err();
    assert!(matches!(error, BindError::Io { .. }));
    assert!(error.to_string().contains(&path.display().to_string()));
}

#[test]
fn only_loopback_addresses_are_listened_at() {
    for address in ["0.0.0.0:0", "192.0.2.1:10809", "[::]:0", "[2001:db8::1]:1"] {
        let address: SocketAddr = address.parse().unwrap();
        let error = Server::bind(&Listen::Tcp(address), "").unwrap_err();
        assert!(matches!(error, BindError::NotLoopback(_)), "{error}");
    }
}

#[test]
fn tcp_serves_like_a_unix_socket() {
    let any = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(&Listen::Tcp(any), "store").unwrap();
    let address = server.tcp_address().unwrap();
    assert_eq!(server.uri(), format!("nbd://{address}/store"));
    let taken = Server::bind(&Listen::Tcp(address), "").unwrap_err();
    assert!(matches!(taken, BindError::Io { .. }));
    let stop = AtomicBool::new(false);
    let disk = Disk::new(1000);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| server.run(disk.clone(), &stop));
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut client = Client::over(stream);
        client.greet(3);
        client.go();
        let data: Vec<u8> = (0..1_000_448_u32).map(|at| (at % 249) as u8).collect();
        assert_eq!(client.write(FUA, 512, &data), 0);
        assert_eq!(client.read(512, 1_000_448), data);
        stop.store(true, Ordering::Relaxed);
        client.assert_closed();
        assert!(thread.join().unwrap().is_ok());
    });
}

#[test]
fn a_uri_escapes_what_it_must() {
    let folder = Folder::new();
    let path = folder.0.join("a b&c");
    let server = Server::bind(&Listen::Unix(path), "größe").unwrap();
    let uri = server.uri();
    assert!(
        uri.starts_with("nbd+unix:///gr%C3%B6%C3%9Fe?socket=/"),
        "{uri}"
    );
    assert!(uri.ends_with("/a%20b%26c"), "{uri}");
}

#[test]
fn a_name_longer_than_the_protocol_allows_is_refused() {
    let folder = Folder::new();
    let listen = Listen::Unix(folder.0.join("s"));
    let error = Server::bind(&listen, &"n".repeat(4097)).unwrap_err();
    assert!(matches!(error, BindError::NameTooLong(4097)));
    Server::bind(&listen, &"n".repeat(4096)).unwrap();
}

#[test]
fn disks_of_impossible_shape_are_refused() {
    for (sector_bytes, sectors) in [(0, 1), (3000, 1), (1 << 30, 1), (2048, 1 << 53)] {
        let folder = Folder::new();
        let server = Server::bind(&Listen::Unix(folder.0.join("s")), "").unwrap();
        let mut disk = Disk::new(sectors);
        disk.sector_bytes = sector_bytes;
        let error = server.run(disk, &AtomicBool::new(false)).unwrap_err();
        let wanted = if sector_bytes == 2048 {
            ShapeError::TooLarge {
                sectors,
                sector_bytes,
            }
        } else {
            ShapeError::SectorBytes(sector_bytes)
        };
        assert_eq!(error, RunError::Shape(wanted));
    }
}

#[test]
fn a_disk_that_panics_ends_the_server_and_is_not_given_back() {
    let disk = Disk::new(100);
    disk.fail_at(5, Fault::Panic);
    let mut bench = Bench::new(&disk);
    let mut other = bench.ready();
    let mut client = bench.ready();
    client.request(READ, 0, 5 * 2048, 512);
    assert_eq!(bench.wait().unwrap_err(), RunError::ExportPanicked);
    client.assert_closed();
    other.assert_closed();
    assert!(!bench.socket.exists());
}

#[test]
fn more_clients_than_are_served_at_a_time_are_turned_away_until_one_leaves() {
    let bench = Bench::new(&Disk::new(100));
    let mut clients: Vec<Client> = (0..32).map(|_| bench.ready()).collect();
    let mut late = bench.connect();
    late.assert_closed();
    assert_eq!(bench.counters.served().connections_refused, 1);
    clients.pop();
    bench.until(|counters| counters.served().connections_open == 31);
    bench.ready();
    for client in &mut clients {
        assert_eq!(client.read(0, 512), [0; 512]);
    }
}

#[test]
fn the_counts_are_one_line() {
    let bench = Bench::new(&Disk::new(100));
    let mut client = bench.ready();
    assert_eq!(client.write(0, 0, &[1; 1536]), 0);
    client.read(0, 512);
    assert_eq!(client.ask(FLUSH, 0, 0, 0), 0);
    assert_eq!(client.ask(TRIM, 0, 0, 2048), 0);
    assert_eq!(client.ask(WRITE_ZEROES, 0, 0, 2048), 0);
    assert_eq!(client.ask(READ, 0, 0, 0), EINVAL);
    assert_eq!(
        bench.counters.served().to_string(),
        "1 open; 1 reads 512 B; 1 writes 1.5 KiB; 1 flushes; 1 trims; 1 zeroes; 1 errors"
    );
}
