using System.Text;
using OpenPlatform.Contracts.Declarative;
using OpenPlatform.Contracts.Snapshots;
using YamlDotNet.Core;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>The snapshot of a gateway that runs alone: a declarative YAML or JSON file (docs/snapshot-file.md).</summary>
/// <param name="path">Absolute or relative to the working folder.</param>
/// <param name="secrets">Pepper of the key hashes, and the key of the envelopes.</param>
/// <param name="time">When a snapshot was read.</param>
internal sealed class SnapshotFile(string path, DeploymentSecrets secrets, TimeProvider time)
{
    private long _revision;

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>Reads and checks the whole file.</summary>
    /// <returns>The snapshot, or every problem as <c>file:line: /pointer: message</c>, the way compilers say it.</returns>
    public (Snapshot? Snapshot, IReadOnlyList<string> Problems) Read()
    {
        YamlTree tree;
        try
        {
            using var text = new StreamReader(Path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            tree = YamlTree.Parse(text);
        }
        catch (YamlException e)
        {
            return (null, [$"{Path}:{e.Start.Line}:{e.Start.Column}: {e.Message}"]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return (null, [$"{Path}: {e.Message}"]); // ArgumentException: bytes that are no UTF-8
        }

        using var envelope = SecretEnvelope.FromBase64(secrets.EnvelopeKey);
        var context = new DeclarativeContext(Encoding.UTF8.GetBytes(secrets.Pepper), envelope, Environment.GetEnvironmentVariable);
        var (snapshot, problems) = DeclarativeConfig.Read(tree.Root, _revision + 1, time.GetUtcNow(), context);
        if (snapshot is null)
        {
            return (null, [.. problems.Select(p => $"{Path}:{tree.LineOf(p.Pointer)}: {(p.Pointer.Length > 0 ? p.Pointer : "the document")}: {p.Message}")]);
        }

        _revision++;
        return (snapshot, []);
    }
}
