using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Cli.Connection;

/// <summary>The catalogs that somebody has logged in to, and their tokens: one file in the user's configuration folder that only the user can read.</summary>
internal sealed class ServerBook(string path)
{
    /// <summary><c>$XDG_CONFIG_HOME/openplatform/servers.json</c>, or the platform's folder for application data.</summary>
    public static ServerBook OfUser() => new(Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "openplatform", "servers.json"));

    /// <summary>The catalog of the last login, or null.</summary>
    public Uri? Current => Read().Current;

    public string? TokenOf(Uri server) => Read().Tokens.GetValueOrDefault(server.AbsoluteUri);

    public void Remember(Uri server, string token)
    {
        var entries = Read();
        entries.Tokens[server.AbsoluteUri] = token;
        Write(entries with { Current = server });
    }

    /// <summary>False when there was nothing to forget.</summary>
    public bool Forget(Uri server)
    {
        var entries = Read();
        if (!entries.Tokens.Remove(server.AbsoluteUri))
        {
            return false;
        }

        Write(entries with { Current = entries.Current == server ? null : entries.Current });
        return true;
    }

    private Entries Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), BookJson.Default.Entries) ?? Entries.None();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Entries.None();
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure(ExitCode.Usage, $"{path} cannot be read ({e.Message}). Delete it and log in again.", e);
        }
    }

    /// <summary>Beside the old one and then over it: whoever reads meanwhile sees one of the two, whole.</summary>
    private void Write(Entries entries)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var next = $"{path}.{Environment.ProcessId}";
        using (var file = new FileStream(next, options))
        {
            JsonSerializer.Serialize(file, entries, BookJson.Default.Entries);
        }

        File.Move(next, path, overwrite: true);
    }

    internal sealed record Entries(Uri? Current, Dictionary<string, string> Tokens)
    {
        public static Entries None() => new(null, []);
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(ServerBook.Entries))]
internal sealed partial class BookJson : JsonSerializerContext;
