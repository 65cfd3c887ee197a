using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>What a Postgres server needs beside its pod: its databases, its backups, and the same under the CloudNativePG operator.</summary>
internal sealed class Databases(DeploymentModel model, KubernetesValues values, Pods pods)
{
    /// <summary>Credentials of the object store that CloudNativePG writes to.</summary>
    internal const string StoreSecret = "postgres-backup";

    internal static string BackupName(ServiceModel server) => $"{server.Name}-backup";

    private static string RestoreName(ServiceModel server) => $"{server.Name}-restore";

    /// <summary>Run by the image when it fills a new volume.</summary>
    public YamlMap Init(ServiceModel server)
    {
        var init = KubernetesNames.Object(model, "v1", "ConfigMap", $"{server.Name}-init", null, app: server.Name);
        init["data"] = new YamlMap { ["databases.sql"] = string.Concat(server.Databases.Select(d => Create(d) + "\n")) };
        return init;
    }

    /// <summary>Every night a dump of each database into a volume of its own, which outlives the server and the chart; and the way back.</summary>
    public IEnumerable<YamlNode> Backup(ServiceModel server)
    {
        var name = BackupName(server);
        var claim = KubernetesNames.Object(model, "v1", "PersistentVolumeClaim", $"{name}s", ServiceObjects.Claim(values, values.BackupSize(server)), "backup", app: name,
            annotations: new YamlMap { ["helm.sh/resource-policy"] = new ChartText("keep", null) });
        yield return claim;
        var databases = string.Join(' ', server.Databases.Select(d => d.Name));
        yield return Schedule(server, name, "backup", values.BackupSchedule(server), suspended: false,
            // A dump has its name only when it is whole. $$( is how Kubernetes writes the shell's own.
            $"for database in {databases}; do file=/backups/$database-$$(date -u +%Y%m%dT%H%M%SZ).dump; "
            + "pg_dump --format=custom --file=$file.part $database; mv $file.part $file; done; "
            + "find /backups -name '*.dump*' -mtime +$KEEP_DAYS -delete",
            new YamlMap { ["name"] = "KEEP_DAYS", ["value"] = values.BackupDays(server) });
        // Never by itself: kubectl create job --from=cronjob/….
        yield return Schedule(server, RestoreName(server), "restore", "0 0 1 1 *", suspended: true,
            $"for database in {databases}; do file=$$(ls /backups/$database-*.dump | sort | tail -n 1); test -s \"$file\"; echo restoring $file; "
            + "pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname=$database $file; done");
    }

    /// <summary>The server's own tools in a pod beside it, with the volume of the backups.</summary>
    private YamlMap Schedule(ServiceModel server, string name, string component, YamlNode schedule, bool suspended, string script, params YamlNode[] variables)
    {
        var container = new YamlMap
        {
            ["name"] = name,
            ["image"] = values.Image(server),
            ["imagePullPolicy"] = "IfNotPresent",
            ["command"] = YamlNode.Texts(["/bin/sh", "-euc"]),
            ["args"] = YamlNode.Texts([script]),
            ["env"] = new YamlList
            {
                new YamlMap { ["name"] = "PGHOST", ["value"] = server.Name },
                new YamlMap { ["name"] = "PGUSER", ["value"] = "postgres" },
                Password(server),
                variables.Length > 0 ? variables[0] : null,
            },
            ["resources"] = new YamlMap { ["requests"] = new YamlMap { ["cpu"] = "100m", ["memory"] = "128Mi" }, ["limits"] = new YamlMap { ["memory"] = "512Mi" } },
            ["securityContext"] = Pods.ContainerSecurity(),
            ["volumeMounts"] = new YamlList { Pods.Mount("tmp", "/tmp"), Pods.Mount("backups", "/backups") },
        };
        var backups = BackupName(server);
        // Both under the name of the backup, which the policies know.
        var template = pods.Template(backups, Pods.User(server), container, annotations: null,
            [Pods.EmptyDirectory("tmp", "64Mi"), new YamlMap { ["name"] = "backups", ["persistentVolumeClaim"] = new YamlMap { ["claimName"] = $"{backups}s" } }],
            serviceAccount: server.Name, component: component, restart: "OnFailure");
        return KubernetesNames.Object(model, "batch/v1", "CronJob", name, new YamlMap
        {
            ["schedule"] = schedule,
            ["timeZone"] = "Etc/UTC",
            ["suspend"] = suspended ? (YamlNode)true : null,
            ["concurrencyPolicy"] = "Forbid",
            ["startingDeadlineSeconds"] = 3600,
            ["successfulJobsHistoryLimit"] = 3,
            ["failedJobsHistoryLimit"] = 3,
            ["jobTemplate"] = new YamlMap { ["spec"] = new YamlMap { ["backoffLimit"] = 3, ["activeDeadlineSeconds"] = 7200, ["template"] = template } },
        }, component, app: backups);
    }

    /// <summary>CloudNativePG: a commit waits for one of two followers, each in a zone of its own where there are three.</summary>
    public IEnumerable<YamlNode> Operated(ServiceModel server)
    {
        yield return KubernetesNames.Object(model, "postgresql.cnpg.io/v1", "Cluster", server.Name, new YamlMap
        {
            ["instances"] = values.Instances(server),
            ["primaryUpdateStrategy"] = "unsupervised",
            // Its secret, <name>-superuser, is what services log in with.
            ["enableSuperuserAccess"] = true,
            ["postgresql"] = new YamlMap { ["synchronous"] = new YamlMap { ["method"] = "any", ["number"] = 1, ["dataDurability"] = "required" } },
            ["bootstrap"] = new YamlMap
            {
                ["initdb"] = new YamlMap
                {
                    ["database"] = server.Databases.Select(d => d.Name).FirstOrDefault() ?? "app",
                    ["owner"] = model.Name,
                    ["postInitSQL"] = server.Databases.Count > 1 ? YamlNode.Texts(server.Databases.Skip(1).Select(Create)) : null,
                },
            },
            ["affinity"] = new YamlMap { ["enablePodAntiAffinity"] = true, ["topologyKey"] = "topology.kubernetes.io/zone", ["podAntiAffinityType"] = "preferred" },
            ["storage"] = new YamlMap
            {
                ["size"] = values.VolumeSize(server, server.Volumes.Count > 0 ? server.Volumes[0] : new("data", "", 10)),
                ["storageClass"] = new ChartWhen(new(values.StorageClass), values.StorageClass),
            },
            ["resources"] = values.Resources(server),
            ["backup"] = new YamlMap
            {
                ["retentionPolicy"] = "14d",
                ["barmanObjectStore"] = new YamlMap
                {
                    ["destinationPath"] = values.BackupBucket(server),
                    ["s3Credentials"] = new YamlMap
                    {
                        ["accessKeyId"] = new YamlMap { ["name"] = StoreSecret, ["key"] = "ACCESS_KEY_ID" },
                        ["secretAccessKey"] = new YamlMap { ["name"] = StoreSecret, ["key"] = "SECRET_ACCESS_KEY" },
                    },
                    ["wal"] = new YamlMap { ["compression"] = "gzip" },
                },
            },
        });
        yield return KubernetesNames.Object(model, "postgresql.cnpg.io/v1", "ScheduledBackup", BackupName(server), new YamlMap
        {
            // Six fields: the first is seconds.
            ["schedule"] = "0 17 2 * * *",
            ["backupOwnerReference"] = "self",
            ["cluster"] = new YamlMap { ["name"] = server.Name },
        });
        yield return new NetworkPolicies(model, values).Operated(server);
    }

    private YamlMap Password(ServiceModel server)
    {
        var password = server.Environment.First(v => v.Name == "POSTGRES_PASSWORD").Value.Parameters.First();
        return PodVariables.Reference("PGPASSWORD", values.SecretName, password.Name);
    }

    private static string Create(DatabaseModel database) => database.CreationScript ?? $"CREATE DATABASE \"{database.Name.Replace("\"", "\"\"", StringComparison.Ordinal)}\";";
}
