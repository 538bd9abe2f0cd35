import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Index;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.StreamSupport;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * mongo-java-server on a file, which acknowledges nothing before it is in the file: what was acknowledged outlives a
 * SIGKILL (not a power cut). Arguments: port, file.
 */
public class Serve {
    private static final Set<String> writing =
        Set.of("insert", "update", "delete", "findAndModify", "createIndexes", "dropIndexes", "drop", "dropDatabase");

    private static final Set<String> sharing = Set.of("insert", "update", "delete", "findAndModify");

    public static void main(String[] arguments) {
        MVStore store = new MVStore.Builder().fileName(arguments[1]).autoCommitDisabled().open();
        // Shared by those who write documents, so that nobody waits for a long write elsewhere; held alone by who makes or
        // drops collections and indexes, which the server has in one place; and by who saves, so that no file holds half
        // of a write.
        ReadWriteLock writes = new ReentrantReadWriteLock(true);
        // Collections that are there for certain; others may be made by a write.
        Set<String> made = ConcurrentHashMap.newKeySet();
        H2Backend backend = new H2Backend(store) {
            @Override
            protected MongoDatabase openOrCreateDatabase(String name) {
                CursorRegistry cursors = getCursorRegistry();
                return new H2Database(name, store, cursors) {
                    @Override
                    protected MongoCollection<Object> openOrCreateCollection(String collection, CollectionOptions options) {
                        String namespace = name + "." + collection;
                        return new FoundById(
                            this, collection, options,
                            store.openMap("databases." + namespace), store.openMap("meta." + namespace), cursors);
                    }
                };
            }

            @Override
            public Document handleCommand(Channel channel, String database, String command, Document query) {
                if (!writing.contains(command)) return super.handleCommand(channel, database, command, query);
                String collection = database + "." + query.get(command);
                boolean isShared = sharing.contains(command) && made.contains(collection);
                Lock lock = isShared ? writes.readLock() : writes.writeLock();
                lock.lock();
                Document answer;
                try {
                    answer = super.handleCommand(channel, database, command, query);
                    if (sharing.contains(command)) made.add(collection);
                    else made.removeIf(name -> name.startsWith(database + "."));
                } finally {
                    lock.unlock();
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

    /**
     * Finds a document by its id also where more is asked of it than that, as a MongoDB does. Without it the server looks
     * at all documents of the collection for every write that is conditional.
     */
    private static class FoundById extends H2Collection {
        FoundById(
            MongoDatabase database, String name, CollectionOptions options,
            MVMap<Object, Document> documents, MVMap<String, Object> meta, CursorRegistry cursors
        ) {
            super(database, name, options, documents, meta, cursors);
        }

        @Override
        protected QueryResult matchDocuments(
            Document query, Document order, int skip, int limit, int batchSize, Document fields
        ) {
            if (query.containsKey("_id")) {
                Document id = new Document("_id", query.get("_id"));
                for (Index<Object> index : getIndexes()) {
                    if (!index.canHandle(id)) continue;
                    var found = StreamSupport.stream(index.getPositions(id).spliterator(), false).map(this::getDocument);
                    return matchDocumentsFromStream(found, query, order, skip, limit, batchSize, fields);
                }
            }
            return super.matchDocuments(query, order, skip, limit, batchSize, fields);
        }
    }
}
