// Asks as Java programs do. Compiled code calls the virtual machine's clock itself where the compiler knows the method; for that it
// has to have been called before (warm).
public class Caller {
  static long warm() {
    return System.nanoTime() ^ System.currentTimeMillis();
  }

  static long asks3000Times() {
    long sum = 0;
    for (int i = 0; i < 3000; ++i) sum ^= System.nanoTime();
    return sum;
  }

  static long asksTheDay7000Times() {
    long sum = 0;
    for (int i = 0; i < 7000; ++i) sum ^= System.currentTimeMillis();
    return sum;
  }

  public static void main(String[] arguments) {
    long sum = warm() ^ asks3000Times() ^ asksTheDay7000Times();
    System.out.println("sum " + sum);
  }
}
