//! Jobs of a campaign, on all cores.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Runs the jobs and gives what each came to, in the order of the jobs. `progress` is told how many of how many are done.
pub fn run<J: Sync, T: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> T + Sync,
    progress: &mut dyn FnMut(u64, u64),
) -> Vec<T> {
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<Option<T>> = jobs.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..threads.min(jobs.len()) {
            let (tell, next, work) = (tell.clone(), &next, &work);
            scope.spawn(move || loop {
                let index = next.fetch_add(1, Ordering::Relaxed) as usize;
                let Some(job) = jobs.get(index) else { break };
                if tell.send((index, work(job))).is_err() {
                    break;
                }
            });
        }
        drop(tell);
        for done in 1.. {
            let Ok((index, result)) = told.recv() else {
                break;
            };
            results[index] = Some(result);
            progress(done, jobs.len() as u64);
        }
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_job_is_done_once_and_the_results_are_in_order() {
        let jobs: Vec<u32> = (0..100).collect();
        let mut told = Vec::new();
        let results = super::run(&jobs, |job| job * 2, &mut |done, of| told.push((done, of)));
        assert_eq!(results, jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
        assert_eq!(told, (1..=100).map(|done| (done, 100)).collect::<Vec<_>>());
        assert!(super::run(&[], |job: &u32| *job, &mut |_, _| {}).is_empty());
    }
}
