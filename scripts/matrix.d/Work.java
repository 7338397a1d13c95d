import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

/** Threads that ask for both clocks, a scheduler, a child process. */
public class Work {
  static final AtomicLong newest = new AtomicLong(Long.MIN_VALUE), backward = new AtomicLong();

  static long ask(int rounds) {
    long sum = 0, last = Long.MIN_VALUE;
    for (int i = 0; i < rounds; i++) {
      long seen = newest.get(), now = System.nanoTime();
      if (now < seen || now < last) backward.incrementAndGet();
      newest.set(now);
      last = now;
      if (System.currentTimeMillis() > 1_600_000_000_000L) sum++;
    }
    return sum;
  }

  public static void main(String[] arguments) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(3);
    long sum = 0;
    var parts = new java.util.ArrayList<Future<Long>>();
    for (int i = 0; i < 3; i++) parts.add(pool.submit(() -> ask(20000)));
    for (Future<Long> part : parts) sum += part.get();
    pool.shutdown();
    ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
    CountDownLatch ticks = new CountDownLatch(10);
    timer.scheduleAtFixedRate(ticks::countDown, 1, 1, TimeUnit.MILLISECONDS);
    boolean ticked = ticks.await(10, TimeUnit.SECONDS);
    timer.shutdownNow();
    long before = System.nanoTime();
    Thread.sleep(3);
    boolean slept = System.nanoTime() - before >= 3_000_000;
    int status = new ProcessBuilder("/bin/sh", "-c", "exit 5").start().waitFor();
    System.out.println(sum + " " + ticked + " " + slept + " " + status + " backward " + backward);
    System.out.println(java.time.Instant.now().isAfter(java.time.Instant.EPOCH));
  }
}
