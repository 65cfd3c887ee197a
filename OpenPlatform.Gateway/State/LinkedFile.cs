namespace OpenPlatform.Gateway.State;

internal static class LinkedFile
{
    /// <summary>
    /// The file that is read at <paramref name="path"/>. A mounted ConfigMap is a link to a link to a folder that is replaced: the link has a length
    /// and a time of its own, which do not change when the content does.
    /// </summary>
    public static FileInfo Of(string path)
    {
        var file = new FileInfo(path);
        try
        {
            return file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;
        }
        catch (IOException)
        {
            return file; // gone meanwhile, or links in a circle
        }
    }
}
