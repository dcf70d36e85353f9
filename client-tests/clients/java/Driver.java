import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;

/**
 * Runs named tests one after the other, each against a given server. The input has lines {@code run CLASS NAME
 * CONNECT-STRING}; output lines that begin with {@code @} are requests, any other line is the test's own output.
 */
final class Driver {
    /** Stream for requests, whatever a test does to System.out. */
    static final PrintStream OUT = System.out;
    static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    public static void main(String[] args) throws Exception {
        for (String line = IN.readLine(); line != null; line = IN.readLine()) {
            String[] words = line.split(" ");
            try (Run run = new Run(words[3])) {
                Method method = Class.forName(words[1]).getDeclaredMethod(words[2], Run.class);
                if (!method.isAnnotationPresent(Case.class)) {
                    throw new AssertionError(words[2] + " is no test");
                }
                method.invoke(null, run);
                tell("@pass");
            } catch (InvocationTargetException e) {
                fail(e.getCause());
            } catch (Throwable e) {
                fail(e);
            }
        }
        // The threads of a client that a failed test did not close must not prevent the end of the JVM.
        System.exit(0);
    }

    private static void fail(Throwable e) {
        StringWriter text = new StringWriter();
        e.printStackTrace(new PrintWriter(text, true));
        OUT.print(text);
        tell("@fail");
    }

    static synchronized void tell(String line) {
        OUT.println(line);
        OUT.flush();
    }

    /** Sends a request and waits until it is done. */
    static void ask(String what) {
        tell("@" + what);
        try {
            String answer = IN.readLine();
            if (!"done".equals(answer)) {
                throw new AssertionError(what + ": " + answer);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
