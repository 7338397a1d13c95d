// Java's virtual machine as a carrier of a host (carried.c), which runs when it is loaded.
public class Carrier {
  public static void main(String[] arguments) {
    System.load(arguments[0]);
  }
}
