import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.Set;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.h2.mvstore.MVStore;

/**
 * mongo-java-server on a file, which acknowledges nothing before it is in the file: what was acknowledged outlives a
 * SIGKILL (not a power cut). Arguments: port, file.
 */
public class Serve {
    private static final Set<String> writing =
        Set.of("insert", "update", "delete", "findAndModify", "createIndexes", "dropIndexes", "drop", "dropDatabase");

    public static void main(String[] arguments) {
        MVStore store = new MVStore.Builder().fileName(arguments[1]).autoCommitDisabled().open();
        // Shared by those who write, so that nobody waits for a long write elsewhere; held alone by who saves, so that no
        // file holds half of a write.
        ReadWriteLock writes = new ReentrantReadWriteLock(true);
        H2Backend backend = new H2Backend(store) {
            @Override
            public Document handleCommand(Channel channel, String database, String command, Document query) {
                if (!writing.contains(command)) return super.handleCommand(channel, database, command, query);
                writes.readLock().lock();
                Document answer;
                try {
                    answer = super.handleCommand(channel, database, command, query);
                } finally {
                    writes.readLock().unlock();
                }
                writes.writeLock().lock();
                try {
                    commit();
                } finally {
                    writes.writeLock().unlock();
                }
                return answer;
            }
        };
        MongoServer server = new MongoServer(backend);
        server.bind("127.0.0.1", Integer.parseInt(arguments[0]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
    }
}
